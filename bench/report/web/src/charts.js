// Puts the charts into their places, with the choice of the operation above and the numbers as a table below.
import * as echarts from "echarts/core";
import { LineChart } from "echarts/charts";
import {
  AriaComponent, AxisPointerComponent, DataZoomComponent, GridComponent, LegendComponent, MarkAreaComponent, TooltipComponent,
} from "echarts/components";
import { SVGRenderer } from "echarts/renderers";
import { curves, decades, show, stacked, stackedHeight } from "./draw.js";
import { millis, percent, seconds } from "./format.js";
import { downAt, highest, join, nines, share, stepsToJoin } from "./series.js";
import { fillTable } from "./table.js";
import { colours } from "./theme.js";

echarts.use([
  LineChart, AriaComponent, AxisPointerComponent, DataZoomComponent, GridComponent, LegendComponent, MarkAreaComponent, TooltipComponent, SVGRenderer,
]);

const paperWidth = 690; // pixels that fit the width of a printed page

const kinds = { time: timeChart, curves: curveChart, backlog: backlogChart };

// mountCharts draws all charts and returns what draws them anew: redraw(true) for paper, redraw(false) for the screen.
export function mountCharts(document) {
  const charts = [...document.querySelectorAll("[data-chart]")].flatMap((box) => mount(box));
  let paper = false;
  let width = innerWidth;
  const redraw = (toPaper = paper) => {
    paper = toPaper;
    for (const chart of charts) chart.draw(paper);
  };
  addEventListener("resize", () => {
    if (innerWidth === width) return; // a phone that hides its address bar
    width = innerWidth;
    redraw();
  });
  redraw();
  return redraw;
}

function mount(box) {
  const [group, kind] = box.dataset.chart.split(" ");
  const data = JSON.parse(document.getElementById(`${group}-data`).textContent);
  const chart = kinds[kind](data);
  if (!chart) {
    box.nextElementSibling.hidden = false; // which says so
    return [];
  }
  box.hidden = false;
  const canvas = box.querySelector(".chart");
  const state = { op: chart.ops[0]?.value, instance: null };
  const draw = (paper) => {
    const width = paper ? paperWidth : canvas.clientWidth;
    const drawing = chart.draw(state.op, { colours: colours(paper), width });
    paint(canvas, state, drawing, width);
    fillTable(box.querySelector(".scroll"), drawing.table);
  };
  if (chart.ops.length > 1) box.querySelector(".controls").append(choice(chart.ops, (op) => {
    state.op = op;
    draw(false);
  }));
  return [{ draw }];
}

function paint(canvas, state, drawing, width) {
  canvas.style.height = `${drawing.height}px`;
  state.instance ??= echarts.init(canvas, null, { renderer: "svg", width, height: drawing.height });
  state.instance.resize({ width, height: drawing.height });
  state.instance.setOption(drawing.option, { notMerge: true });
  state.instance.getZr().flush(); // at once: paper does not wait for the next frame
}

function choice(ops, chosen) {
  const label = document.createElement("label");
  const select = document.createElement("select");
  for (const op of ops) select.append(new Option(op.label, op.value));
  select.addEventListener("change", () => chosen(select.value));
  label.append("Operation ", select);
  return label;
}

const named = (ops) => ops.map((op) => ({ value: op, label: op }));

// unionOfWindows is, for panels with both stacks in them, when a part was down in any.
function unionOfWindows(stacks) {
  const all = stacks.flatMap((s) => s.windows).sort((a, b) => a.from - b.from);
  const union = [];
  for (const w of all) {
    const before = union.at(-1);
    if (before && before.victim === w.victim && w.from <= before.to) before.to = Math.max(before.to, w.to);
    else union.push({ ...w });
  }
  return union;
}

function timeChart(data) {
  const stacks = data.stacks.filter((s) => s.lines[""]?.ok.length);
  if (!stacks.length) return null;
  const ops = [{ value: "", label: "all operations" }, ...named([...data.writes, ...data.reads])];
  const length = Math.max(...stacks.map((s) => s.length));
  return { ops, draw: (op, screen) => drawTime(stacks.filter((s) => s.lines[op]), op, { ...screen, length, writes: data.writes }) };
}

function drawTime(stacks, op, { length, writes, ...screen }) {
  const joined = stacks.map((s) => join(s.lines[op], s.step, stepsToJoin(s.lines[op])));
  const points = (of) => stacks.map((s, i) => ({ stack: s.name, points: joined[i].map((b) => [middle(b, s, op), of(b)]) }));
  const windows = unionOfWindows(stacks);
  const panels = stacks.map((s, i) => ({
    title: `Availability, ${s.name}`, unit: "percent", windows: s.windows, names: true,
    series: [{ stack: s.name, points: joined[i].map((b) => [b.at, b.all ? 100 * share(b) : null]) }],
  }));
  const isWrite = op === "" || writes.includes(op);
  const latency = { title: op === "" ? "Time until the answer, p99" : isWrite ? "Time to accept, p99" : "Latency, p99", unit: "ms", log: true, windows, series: points((b) => positive(b.p99)) };
  const effect = { title: "Time to effect of writes, p99", unit: "ms", log: true, windows, series: shown(stacks, op) };
  const logs = effect.series.some((s) => s.points.length) ? [latency, effect] : [latency];
  const ends = decades(logs.flatMap((p) => p.series.flatMap((s) => s.points.map((q) => q[1])))); // one scale, so that they can be compared
  for (const p of logs) Object.assign(p, ends);
  panels.push(...logs);
  return {
    height: stackedHeight(panels, screen.width), table: timeTable(stacks, op),
    option: stacked(panels, { ...screen, length, stacks, description: `Availability and latency of ${op || "all operations"} over ${length} seconds. The numbers are in the table below.` }),
  };
}

const shown = (stacks, op) => stacks.map((s) => ({
  stack: s.name, points: (s.shown[op]?.tte ?? []).map((v, i) => [(i + 0.5) * s.shown[op].step, positive(v)]),
}));

// shownIn is the highest p99 of the time to effect in a second.
function shownIn(stack, op, second) {
  const { tte, step } = stack.shown[op] ?? { tte: [], step: 1 };
  return highest(tte.filter((_, i) => Math.floor(i * step + 1e-6) === second));
}

const positive = (v) => (v == null ? null : Math.max(0.001, v));
const middle = (bucket, stack, op) => bucket.at + (stack.step * stepsToJoin(stack.lines[op])) / 2;

// timeTable is the timeline by seconds.
function timeTable(stacks, op) {
  const bySecond = stacks.map((s) => join(s.lines[op], s.step, Math.max(1, Math.round(1 / s.step))));
  const rows = bySecond[0].map((_, i) => [
    seconds(bySecond[0][i].at),
    ...stacks.flatMap((s, n) => {
      const b = bySecond[n][i];
      return b ? [percent(share(b)), millis(b.p99), millis(shownIn(s, op, i)), downAt(s, b.at + 0.5).join(", ")] : ["", "", "", ""];
    }),
  ]);
  return {
    caption: `${op || "All operations"}, by second: OK answers, the highest p99 of its steps, and the fault`,
    lead: ["from"], stacks: stacks.map((s) => s.name), heads: ["OK %", "p99, ms", "TTE p99, ms", "fault"], rows,
  };
}

function curveChart(data) {
  const has = (op) => data.stacks.some((s) => Object.values(s.curves[op] ?? {}).some((points) => points.length));
  const ops = [...data.writes, ...data.reads].filter(has);
  ops.sort((a, b) => Number(b === "CreateComment") - Number(a === "CreateComment"));
  if (!ops.length) return null;
  return { ops: named(ops), draw: (op, screen) => drawCurves(data.stacks, op, screen) };
}

const times = [
  { key: "latency", name: "latency", dash: "solid" },
  { key: "tta", name: "time to accept", dash: "solid" },
  { key: "tte", name: "time to effect", dash: "dotted" },
];

function drawCurves(stacks, op, screen) {
  const lines = stacks.flatMap((s) => times.filter((t) => s.curves[op]?.[t.key]?.length).map((t) => ({
    stack: s.name, name: `${s.name} ${t.name}`, dash: t.dash, raw: s.curves[op][t.key],
    points: s.curves[op][t.key].map(([p, ms]) => [nines(p), positive(ms), p]),
  })));
  return {
    height: screen.width < 560 ? 330 : 390, table: curveTable(lines, op),
    option: curves(lines, { ...screen, description: `Percentile curves of ${op}. The numbers are in the table below.` }),
  };
}

function curveTable(lines, op) {
  const percents = [...new Set(lines.flatMap((l) => l.raw.map(([p]) => p)))].sort((a, b) => a - b);
  const at = lines.map((l) => new Map(l.raw));
  return {
    caption: `${op}: so many percent took no longer than this, ms`, lead: ["percent"], stacks: [], heads: lines.map((l) => l.name),
    rows: percents.map((p) => [String(Number(p.toFixed(4))), ...at.map((m) => millis(m.get(p)))]),
  };
}

function backlogChart(data) {
  const stacks = data.stacks.filter((s) => s.backlog?.at.length);
  if (!stacks.length) return null;
  const length = Math.max(...stacks.map((s) => s.length));
  return { ops: [], draw: (_, screen) => drawBacklog(stacks, { ...screen, length }) };
}

function drawBacklog(stacks, { length, ...screen }) {
  const windows = unionOfWindows(stacks);
  const series = (key) => stacks.map((s) => ({ stack: s.name, points: s.backlog.at.map((t, i) => [t, s.backlog[key][i]]) }));
  const panels = [
    { title: "Writes accepted and not shown yet", unit: "count", windows, names: true, series: series("waiting") },
    { title: "Age of the oldest of them", unit: "ms", windows, series: series("oldest") },
  ];
  return {
    height: stackedHeight(panels, screen.width), table: backlogTable(stacks),
    option: stacked(panels, { ...screen, length, stacks, description: "Accepted writes that did not show yet, over time. The numbers are in the table below." }),
  };
}

// backlogTable holds the most of each second.
function backlogTable(stacks) {
  const most = (list, s, second) => Math.max(...list.filter((_, i) => Math.floor(s.backlog.at[i]) === second), 0);
  const end = Math.ceil(Math.max(...stacks.flatMap((s) => s.backlog.at)));
  const rows = Array.from({ length: end }, (_, second) => [
    seconds(second),
    ...stacks.flatMap((s) => [show("count", most(s.backlog.waiting, s, second)), millis(most(s.backlog.oldest, s, second))]),
  ]);
  return { caption: "Backlog, the most of each second", lead: ["from"], stacks: stacks.map((s) => s.name), heads: ["waiting", "oldest, ms"], rows };
}
