// What is drawn, computed from the data of the page. No drawing here.

// steps joins so many steps of 100 ms into one that it holds about 20 operations, up to 2 s: with fewer than 100 the p99 (nearest
// rank) is the slowest one, so the joined p99 is that of the joined step, and not an average of percentiles.
export function stepsToJoin(line) {
  const total = sum(line.ok) + sum(line.failed);
  const mean = total / Math.max(1, line.ok.length);
  return [1, 2, 5, 10, 20].find((n) => mean * n >= 20) ?? 20;
}

const sum = (list) => list.reduce((a, b) => a + b, 0);

export const highest = (list) => list.reduce((a, b) => (b == null || (a != null && a > b) ? a : b), null);

// join returns a timeline in longer steps: { at, ok, all, p99 }, at in seconds.
export function join(line, step, n) {
  const joined = [];
  for (let i = 0; i < line.ok.length; i += n) {
    const ok = sum(line.ok.slice(i, i + n));
    joined.push({
      at: i * step, ok, all: ok + sum(line.failed.slice(i, i + n)),
      p99: highest(line.p99.slice(i, i + n)),
    });
  }
  return joined;
}

export const share = (bucket) => (bucket.all ? bucket.ok / bucket.all : null);

// downAt names the parts of a stack that were down at a time.
export const downAt = (stack, at) => stack.windows.filter((w) => w.from <= at && at < w.to).map((w) => w.victim);

// nines places a percentile on an axis on which each further nine is as far as the one before: p90 at 1, p99 at 2.
export const nines = (percent) => -Math.log10(Math.max(1e-6, 1 - percent / 100));
