// The report in a browser. REPORTS is a folder with a folder for each sample (see sample_test.go) that holds results.json and the
// report.html made of it. CANARY, if set, is the folder of one more run, whose report must show red.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium } from "playwright-core";

const reports = process.env.REPORTS;
const samples = readdirSync(reports);
const full = path.join(reports, "full");
const page1440 = { width: 1440, height: 900 };
let browser;

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
});
after(() => browser.close());

const results = (folder) => JSON.parse(readFileSync(path.join(folder, "results.json"), "utf8"));

// open shows a report, and notes what it asked for and complained about.
async function open(folder, { viewport = page1440, colorScheme = "light" } = {}) {
  const context = await browser.newContext({ viewport, colorScheme });
  const page = await context.newPage();
  const noted = { requests: [], complaints: [] };
  page.on("request", (r) => noted.requests.push(r.url()));
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && noted.complaints.push(m.text()));
  page.on("pageerror", (e) => noted.complaints.push(e.message));
  const url = `file://${path.resolve(folder, "report.html")}`;
  await page.goto(url);
  return { page, noted, url, close: () => context.close() };
}

async function withReport(folder, options, use) {
  const report = await open(folder, options);
  try {
    await use(report.page, report);
  } finally {
    await report.close();
  }
}

for (const sample of samples) {
  const folder = path.join(reports, sample);
  describe(sample, () => {
    let report;
    before(async () => { report = await open(folder); });
    after(() => report.close());

    test("the verdict is seen first", () => requireVerdict(report.page, worst(results(folder))));
    test("the heat map shows results.json", () => requireHeatMap(report.page, results(folder)));

    test("asks for nothing, complains of nothing, runs nothing of a history", async () => {
      await hoverCharts(report.page);
      assert.deepEqual(report.noted, { requests: [report.url], complaints: [] });
      assert.equal(await report.page.locator("img").count(), 0);
      assert.doesNotMatch(await report.page.title(), /^owned/);
    });

    for (const width of [390, 320]) {
      test(`nothing to scroll sideways at ${width}`, async () => {
        await report.page.setViewportSize({ width, height: 800 });
        await report.page.reload();
        assert.equal(await report.page.evaluate(() => document.documentElement.scrollWidth), width);
      });
    }

    for (const colorScheme of ["light", "dark"]) {
      test(`no serious finding of axe, ${colorScheme}`, async () => {
        await report.page.setViewportSize(page1440);
        await report.page.emulateMedia({ colorScheme });
        assert.deepEqual(await seriousFindings(report.page), []);
      });
    }
  });
}

async function seriousFindings(page) {
  await page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
  const { violations } = await new AxeBuilder({ page }).analyze();
  const serious = violations.filter((v) => ["serious", "critical"].includes(v.impact));
  return serious.map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html).join(" ")}`);
}

async function hoverCharts(page) {
  for (const chart of await page.locator(".chart-box:not([hidden]) .chart").all()) {
    await chart.scrollIntoViewIfNeeded();
    const box = await chart.boundingBox();
    await page.mouse.move(box.x + box.width * 0.3, box.y + 120); // in the first panel
    await chart.locator(".tip").waitFor();
  }
}

// worst is the verdict of a run: the worst of all stacks in all rounds.
function worst(r) {
  const stacks = (r.rounds?.length > 1 ? r.rounds.flatMap((round) => round.stacks) : r.stacks) ?? [];
  const verdicts = stacks.map((s) => s.check.verdict);
  if (verdicts.includes("invalid")) return "invalid";
  return verdicts.length && verdicts.every((v) => v === "valid") ? "valid" : "unknown";
}

// requireVerdict demands that the verdict is in sight without scrolling, in words and, if it is invalid, in red.
async function requireVerdict(page, verdict) {
  const h1 = page.locator("h1");
  const says = { valid: "Valid run", invalid: "INVALID: a guarantee was violated", unknown: "UNKNOWN: this run does not allow a verdict" };
  assert.match((await h1.innerText()).replaceAll("\n", " "), new RegExp(`${says[verdict]}$`));
  assert.ok((await h1.boundingBox()).y < 400);
  const [red, green, blue] = (await h1.evaluate((e) => getComputedStyle(e).color)).match(/\d+/g).map(Number);
  assert.equal(red > green + 80 && red > blue + 80, verdict === "invalid", `rgb ${red} ${green} ${blue}`);
}

const percent = (share) => {
  const p = 100 * share;
  if (p > 0 && p < 1) return "<1";
  if (p < 100 && p > 99) return ">99";
  return p.toFixed(0);
};

async function requireHeatMap(page, r) {
  const shown = await page.locator("table.heat").evaluateAll((tables) => tables.map((t) => ({
    stack: t.dataset.stack,
    rows: [...t.tBodies[0].rows].map((row) => [...row.cells].map((c) => ({
      text: c.tagName === "TH" ? c.textContent : c.querySelector("b").textContent, predicted: c.querySelector("small")?.textContent, surprise: c.matches(".surprise"),
    }))),
  })));
  assert.equal(shown.length, r.stacks.length);
  for (const { stack, rows } of shown) {
    const faults = r.stacks.find((s) => s.stack === stack).figures.faults;
    assert.ok(rows.length > 0);
    for (const [op, ...cells] of rows) {
      assert.equal(cells.length, r.settings.plan.steps.length);
      cells.forEach((cell, i) => {
        const want = faults[i]?.absent ? null : faults[i]?.blast_radius.find((c) => c.op === op.text && c.availability != null);
        assert.equal(cell.text, want ? percent(want.availability) : "–", `${stack} ${op.text} ${i}`);
        if (want) assert.deepEqual([cell.predicted, cell.surprise], [percent(want.predicted), want.surprise]);
      });
    }
  }
}

test("the tables of the charts show results.json", () => withReport(full, {}, async (page) => {
  const r = results(full);
  const texts = (kind) => page.locator(`[data-chart="g0 ${kind}"] tbody tr`).evaluateAll((rows) => rows.map((row) => [...row.cells].map((c) => c.textContent)));
  const time = await texts("time");
  assert.equal(time.length, 28);
  const buckets = r.stacks[0].figures.timelines[0].buckets.slice(60, 70);
  const ok = buckets.reduce((n, b) => n + b.ok, 0);
  const all = ok + buckets.reduce((n, b) => n + b.failed, 0);
  assert.deepEqual(time[6].slice(0, 3), ["6 s", ((100 * ok) / all).toFixed(1), Math.max(...buckets.map((b) => b.p99_ms)).toFixed(1)]);
  assert.equal(time[6][4], "posts");

  const curves = await texts("curves");
  const points = (stack, measure) => r.stacks.find((s) => s.stack === stack).figures.curves.find((c) => c.op === "CreateComment" && c.measure === measure).points;
  assert.deepEqual(curves.map((row) => Number(row[0])), points("sync", "tta").map((p) => p.percent));
  curves.forEach((row, i) => [points("sync", "tta"), points("sync", "tte"), points("async", "tta"), points("async", "tte")].forEach((line, n) => {
    assert.ok(Math.abs(Number(row[n + 1]) - line[i].ms) <= 0.01 * line[i].ms, `${row} ${line[i].ms}`);
  }));

  const backlog = await texts("backlog");
  const second = r.stacks[1].figures.backlog.slice(60, 70);
  assert.equal(backlog[6][3], String(Math.max(...second.map((b) => b.waiting))));
}));

test("the tables of the page show results.json", () => withReport(full, {}, async (page) => {
  const r = results(full);
  const row = await page.locator("table.figures", { hasText: "Writes before any fault" }).locator("tbody tr").first().locator("td").allTextContents();
  const tta = r.stacks[0].figures.ops[0].tta;
  assert.deepEqual(row.slice(0, 6), ["100", tta.p50_ms.toFixed(2), tta.p90_ms.toFixed(2), tta.p99_ms.toFixed(1), tta["p99_9_ms"].toFixed(0), tta.max_ms.toFixed(0)]);
  const claims = await page.locator("table.contrasts tbody tr").evaluateAll((rows) => rows.map((x) => x.lastElementChild.textContent));
  assert.deepEqual(claims.map((c) => c !== "no difference claimed"), r.contrasts.map((c) => c.claimed));
}));

test("an operation can be chosen", () => withReport(full, {}, async (page) => {
  const box = page.locator('[data-chart="g0 curves"]');
  await box.locator("select").selectOption("GetPostPage");
  assert.match(await box.locator("caption").textContent(), /^GetPostPage/);
  assert.ok(await box.locator("svg text", { hasText: "sync latency" }).count() > 0);
}));

test("the button changes the colours, of the charts too", () => withReport(full, { colorScheme: "dark" }, async (page) => {
  const strokes = () => page.locator('[data-chart="g0 time"] svg path').evaluateAll((paths) => [...new Set(paths.map((p) => p.getAttribute("stroke")))]);
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.ok((await strokes()).includes("#5cb8ee"));
  const dark = await paper();
  await page.getByRole("button", { name: "Use light colours" }).click();
  assert.ok((await strokes()).includes("#00659e"));
  assert.notEqual(await paper(), dark);
  await page.getByRole("button", { name: "Use dark colours" }).click();
  assert.equal(await paper(), dark);
}));

test("paper shows all charts, in light colours", () => withReport(full, { colorScheme: "dark" }, async (page) => {
  const pdf = await page.pdf({ preferCSSPageSize: true, printBackground: true });
  assert.ok(pdf.length > 40_000, `${pdf.length} bytes`);
  await page.emulateMedia({ media: "print" });
  const charts = await page.locator(".chart svg").evaluateAll((all) => all.map((s) => ({ width: s.getBoundingClientRect().width, colours: s.innerHTML })));
  assert.equal(charts.length, 3);
  for (const chart of charts) {
    assert.ok(chart.width > 300 && chart.width <= 700);
    assert.match(chart.colours, /#00659e/);
    assert.doesNotMatch(chart.colours, /#5cb8ee/);
  }
}));

test("zooming moves the one axis of all panels", () => withReport(full, {}, async (page) => {
  const chart = page.locator('[data-chart="g0 time"] .chart');
  await chart.scrollIntoViewIfNeeded();
  const box = await chart.boundingBox();
  const labels = () => chart.locator("svg text").evaluateAll((all) => all.map((t) => t.textContent).filter((t) => /^[\d.]+ s$/.test(t)));
  assert.ok((await labels()).includes("0 s"));
  await page.mouse.move(box.x + 59, box.y + box.height - 16);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height - 16, { steps: 4 });
  await page.mouse.up();
  await page.waitForFunction(() => ![...document.querySelectorAll('[data-chart="g0 time"] svg text')].some((t) => t.textContent === "0 s"));
}));

test("stacks that may not be compared stand apart", () => withReport(path.join(reports, "apart"), {}, async (page) => {
  assert.match(await page.locator(".apart").innerText(), /Not compared.*the seed differs/s);
  assert.deepEqual(await page.locator("h2.group").allTextContents(), ["sync alone", "async alone"]);
  assert.equal(await page.locator(".numbers").count(), 2);
  assert.doesNotMatch(await page.locator(".answer").first().innerText(), /async/);
}));

if (process.env.CANARY) {
  test("the canary is red", () => withReport(process.env.CANARY, {}, async (page) => {
    assert.equal(worst(results(process.env.CANARY)), "invalid");
    await requireVerdict(page, "invalid");
    assert.ok(await page.locator(".verdicts .reasons li").count() > 0);
  }));
}
