// Options of ECharts for the two kinds of charts.
import { escape, mark, percent, axisMillis, millis, seconds } from "./format.js";
import { downAt } from "./series.js";

const font = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';

const dashes = { solid: "solid", dashed: [6, 3], dotted: [2, 3] };

// styleOf gives each stack its colour, dash and symbol, the same in all charts.
export function styleOf(stack, c) {
  if (stack === "async") return { color: c.async, soft: c.asyncSoft, dash: "dashed", symbol: "diamond" };
  return { color: c.sync, soft: c.syncSoft, dash: "solid", symbol: "circle" };
}

function tooltip(c) {
  return {
    trigger: "axis", confine: true, backgroundColor: c.card, borderColor: c.line, textStyle: { color: c.ink, fontFamily: font },
    extraCssText: "box-shadow:0 2px 12px #0003;border-radius:8px", transitionDuration: 0,
  };
}

const legend = (names, c) => ({
  data: names, top: 0, left: 0, itemWidth: 34, itemGap: 18, textStyle: { color: c.ink, fontSize: 13, fontFamily: font },
  inactiveColor: c.quiet,
});

const base = (c, description) => ({
  animation: false, textStyle: { fontFamily: font, color: c.ink }, aria: { enabled: true, label: { description } },
});

const head = 40;
const panelGap = 48;
const namesGap = 15; // above a panel, for the names of what is down
const zoomHeight = 62;

// layout places panels under each other.
function layout(panels, width) {
  const height = width < 560 ? 96 : 118;
  const tops = [];
  let y = head + 18;
  for (const panel of panels) {
    y += panel.names ? namesGap : 0;
    tops.push(y);
    y += height + panelGap;
  }
  return { tops, height, total: y + zoomHeight - 24 };
}

export const stackedHeight = (panels, width) => layout(panels, width).total;

// stacked draws panels under each other over one time axis. A panel is { title, unit: "percent" | "ms" | "count", log, windows,
// series: [{ stack, points: [[seconds, value]] }] }.
export function stacked(panels, { colours: c, width, length, description, stacks }) {
  const { tops, height } = layout(panels, width);
  const last = panels.length - 1;
  return {
    ...base(c, description),
    legend: legend(stacks.map((s) => s.name), c),
    grid: panels.map((_, i) => ({ left: 58, right: 14, top: tops[i], height, outerBoundsMode: "none" })),
    xAxis: panels.map((_, i) => timeAxis(i, i === last, length, c)),
    yAxis: panels.map((p, i) => valueAxis(p, i, c)),
    axisPointer: { link: [{ xAxisIndex: "all" }], lineStyle: { color: c.quiet }, label: { show: false } },
    tooltip: { ...tooltip(c), formatter: (points) => stackedTip(points, panels, stacks) },
    dataZoom: zooms(panels, c),
    series: panels.flatMap((p, i) => panelSeries(p, i, c, width)),
  };
}

function timeAxis(i, isLast, length, c) {
  return {
    type: "value", gridIndex: i, min: 0, max: length, axisLine: { lineStyle: { color: c.line } }, splitLine: { show: false },
    axisTick: { show: isLast, lineStyle: { color: c.line } },
    axisLabel: { show: isLast, color: c.quiet, formatter: (v) => seconds(v), hideOverlap: true },
  };
}

function valueAxis(panel, i, c) {
  const axis = {
    gridIndex: i, name: panel.title, nameLocation: "end", nameGap: 10 + (panel.names ? namesGap : 0),
    nameTextStyle: { color: c.ink, fontWeight: 600, fontSize: 12.5, align: "left", padding: [0, 0, 0, -50] },
    axisLine: { show: false }, axisTick: { show: false }, splitLine: { lineStyle: { color: c.line } },
    axisLabel: { color: c.quiet, fontSize: 11 }, type: panel.log ? "log" : "value", minorSplitLine: { show: false },
  };
  if (panel.unit === "percent") {
    return { ...axis, min: 0, max: 100, interval: 50, axisLabel: { ...axis.axisLabel, formatter: "{value} %" } };
  }
  if (panel.unit === "ms") axis.axisLabel.formatter = axisMillis;
  return { ...axis, splitNumber: 3, min: panel.log ? panel.min : 0, max: panel.log ? panel.max : undefined, minInterval: panel.unit === "count" ? 1 : 0 };
}

function zooms(panels, c) {
  const all = panels.map((_, i) => i);
  return [
    {
      type: "slider", xAxisIndex: all, height: 20, bottom: 6, left: 58, right: 14, filterMode: "none", showDataShadow: false,
      borderColor: c.line, fillerColor: c.shade, handleStyle: { color: c.card, borderColor: c.quiet }, textStyle: { color: c.quiet, fontSize: 10 },
      moveHandleStyle: { color: c.quiet, opacity: 0.4 }, labelFormatter: (v) => seconds(v), brushSelect: false,
    },
    { type: "inside", xAxisIndex: all, filterMode: "none", zoomOnMouseWheel: "ctrl", moveOnMouseMove: false, moveOnMouseWheel: false },
  ];
}

function panelSeries(panel, i, c, width) {
  const lines = panel.series.map((s) => {
    const style = styleOf(s.stack, c);
    return {
      type: "line", name: s.stack, xAxisIndex: i, yAxisIndex: i, data: s.points, showSymbol: false, symbol: style.symbol,
      step: panel.unit === "percent" ? "end" : false, connectNulls: false,
      itemStyle: { color: style.color }, lineStyle: { color: style.color, width: 1.6, type: dashes[style.dash] },
      areaStyle: panel.unit === "percent" ? { color: style.soft } : undefined,
    };
  });
  return [...lines, shade(panel, i, c, width)];
}

// shade marks when a part was down. Its name stands where there is room for it.
function shade(panel, i, c, width) {
  return {
    type: "line", xAxisIndex: i, yAxisIndex: i, data: [], silent: true, tooltip: { show: false }, name: `down ${i}`,
    markArea: {
      silent: true, itemStyle: { color: c.shade, borderColor: c.quiet, borderWidth: 0.5, borderType: "dashed" },
      label: { color: c.ink, fontSize: width < 560 ? 9 : 11, position: "top", distance: 3 },
      data: panel.windows.map((w) => [
        { xAxis: w.from, name: panel.names ? (width < 900 ? short(w.victim) : w.victim) : "", label: { show: Boolean(panel.names) } }, { xAxis: w.to },
      ]),
    },
  };
}

const short = (victim) => ({ moderation: "mod.", subscriptions: "subs.", comments: "com." })[victim] ?? victim;

function stackedTip(points, panels, stacks) {
  const at = points[0]?.axisValue ?? 0;
  const down = stacks.flatMap((s) => downAt(s, at).map((victim) => `${victim} in ${s.name}`));
  const rows = panels.map((p, i) => {
    const values = points.filter((q) => q.axisIndex === i && q.value?.[1] != null)
      .map((q) => `<span style="color:${q.color}">${mark(q.seriesName)}</span> ${show(p.unit, q.value[1])}`);
    return values.length ? `<div>${escape(p.title)}: ${values.join(" &nbsp; ")}</div>` : "";
  });
  return `<div class="tip"><b>${seconds(Number(at))}</b>${down.map((d) => ` · ${escape(d)}`).join("")}${rows.join("")}</div>`;
}

export function show(unit, v) {
  if (unit === "percent") return `${percent(v / 100)} %`;
  if (unit === "ms") return `${millis(v)} ms`;
  return String(v);
}

// curves draws percentile curves: [{ stack, time, dash, points: [[nines, ms, percent]] }].
export function curves(lines, { colours: c, width, description }) {
  const most = Math.max(2, ...lines.flatMap((l) => l.points.map((p) => p[0])));
  return {
    ...base(c, description),
    legend: { ...legend(lines.map((l) => l.name), c), width: width - 10 },
    grid: { left: 64, right: 22, top: curvesTop(lines, width), bottom: 48, outerBoundsMode: "none" },
    xAxis: {
      type: "value", min: 0, max: Math.ceil(most * 10) / 10, name: "percentile", nameLocation: "middle", nameGap: 28, nameTextStyle: { color: c.quiet },
      axisLabel: { color: c.quiet, customValues: [0, 0.30103, 1, 2, 3, 4, 5], formatter: ninesLabel, hideOverlap: true },
      axisTick: { customValues: [0, 0.30103, 1, 2, 3, 4, 5], lineStyle: { color: c.line } },
      axisLine: { lineStyle: { color: c.line } }, splitLine: { show: false },
    },
    yAxis: {
      type: "log", axisLabel: { color: c.quiet, formatter: axisMillis }, splitLine: { lineStyle: { color: c.line } }, axisLine: { show: false },
      ...decades(lines.flatMap((l) => l.points.map((p) => p[1]))),
    },
    tooltip: { ...tooltip(c), axisPointer: { type: "line", lineStyle: { color: c.quiet }, label: { show: false } }, formatter: curveTip },
    series: lines.map((l) => curveSeries(l, c)),
  };
}

// curvesTop leaves room for the legend, which breaks into lines where it must.
const curvesTop = (lines, width) => 30 + 24 * Math.ceil(lines.length / Math.max(1, Math.floor(width / 200)));

function curveSeries(line, c) {
  const style = styleOf(line.stack, c);
  return {
    type: "line", name: line.name, data: line.points, symbol: style.symbol, symbolSize: (v) => (marked(v[2]) ? 8 : 0), showSymbol: true, showAllSymbol: true,
    itemStyle: { color: style.color }, lineStyle: { color: style.color, width: 2.2, type: dashes[line.dash] }, emphasis: { focus: "series" },
  };
}

const marked = (percent) => [50, 90, 99, 99.9].some((p) => Math.abs(p - percent) < 1e-6);

function ninesLabel(v) {
  if (v === 0) return "p0";
  if (v < 1) return "p50";
  return `p${Number((100 * (1 - 10 ** -v)).toFixed(4))}`;
}

function curveTip(points) {
  const p = points[0]?.value?.[2];
  const rows = points.map((q) => `<div><span style="color:${q.color}">${mark(q.seriesName.split(" ")[0])}</span> ${escape(q.seriesName)}: ${millis(q.value[1])} ms</div>`);
  return `<div class="tip"><b>p${Number(Number(p).toFixed(4))}</b>${rows.join("")}</div>`;
}

// decades are the powers of ten around values, so that a logarithmic axis has whole ends.
export function decades(values) {
  const real = values.filter((v) => v != null && v > 0);
  if (!real.length) return { min: 0.1, max: 10 };
  const low = Math.floor(Math.log10(Math.min(...real)));
  return { min: 10 ** low, max: 10 ** Math.max(low + 1, Math.ceil(Math.log10(Math.max(...real)))) };
}
