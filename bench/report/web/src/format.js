// The same numbers look the same in charts and in the tables that Go makes.

export const none = "–";

export function millis(v) {
  if (v == null) return none;
  if (v < 10) return v.toFixed(2);
  if (v < 100) return v.toFixed(1);
  return v.toFixed(0);
}

// percent never rounds to a whole what is not whole.
export function percent(share) {
  if (share == null) return none;
  const p = 100 * share;
  if (p > 0 && p < 0.1) return "<0.1";
  if (p < 100 && p > 99.9) return ">99.9";
  return p === 0 || p === 100 ? String(p) : p.toFixed(1);
}

export const seconds = (v) => `${Number(v.toFixed(2))} s`;

export function axisMillis(v) {
  if (v >= 1000) return `${v / 1000} s`;
  return `${Number(v.toPrecision(3))} ms`;
}

const escapes = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

// escape makes text of a history harmless in HTML.
export const escape = (text) => String(text).replace(/[&<>"']/g, (c) => escapes[c]);

export const mark = (stack) => ({ sync: "●", async: "◆" })[stack] ?? "■";
