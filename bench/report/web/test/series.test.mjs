import assert from "node:assert/strict";
import { test } from "node:test";
import { escape, millis, percent } from "../src/format.js";
import { downAt, join, nines, share, stepsToJoin } from "../src/series.js";

const line = (ok, failed, p99) => ({ ok, failed, p99 });

test("steps are joined until they hold enough", () => {
  const steps = (ok) => stepsToJoin(line(Array(100).fill(ok), Array(100).fill(0), []));
  assert.deepEqual([50, 20, 10, 4, 2, 1, 0].map(steps), [1, 1, 2, 5, 10, 20, 20]);
});

test("joined steps add up, and keep the highest p99", () => {
  const joined = join(line([1, 2, 3], [0, 2, 0], [5, 9, null]), 0.1, 2);
  assert.deepEqual(joined, [{ at: 0, ok: 3, all: 5, p99: 9 }, { at: 0.2, ok: 3, all: 3, p99: null }]);
  assert.equal(share(joined[0]), 0.6);
  assert.equal(share({ ok: 0, all: 0 }), null);
});

test("each nine is as far as the one before", () => {
  assert.deepEqual([0, 90, 99, 99.9].map((p) => Math.abs(Number(nines(p).toFixed(6)))), [0, 1, 2, 3]);
  assert.equal(nines(100), 6);
});

test("what was down ends when it serves again", () => {
  const stack = { windows: [{ victim: "posts", from: 1, to: 2 }] };
  assert.deepEqual([0.9, 1, 1.9, 2].map((at) => downAt(stack, at).length), [0, 1, 1, 0]);
});

test("numbers look as in the tables that Go makes", () => {
  assert.deepEqual([null, 1.234, 12.34, 123.4].map(millis), ["–", "1.23", "12.3", "123"]);
  assert.deepEqual([null, 0, 0.0004, 0.5, 0.9999, 1].map(percent), ["–", "0", "<0.1", "50.0", ">99.9", "100"]);
});

test("text stays text", () => assert.equal(escape(`<img src=x onerror="a('&')">`), "&lt;img src=x onerror=&quot;a(&#39;&amp;&#39;)&quot;&gt;"));
