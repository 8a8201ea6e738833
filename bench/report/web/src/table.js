// Tables in the page's own look. All text goes in as text.
import { mark } from "./format.js";

// fillTable puts a table into a place: { caption, lead, stacks, heads, rows }. With stacks the heads repeat for each of them.
export function fillTable(place, table) {
  const t = document.createElement("table");
  t.className = "figures";
  t.createCaption().textContent = table.caption;
  place.setAttribute("aria-label", table.caption);
  const head = t.createTHead();
  if (table.stacks.length) head.append(stackRow(table));
  head.append(headRow(table));
  const body = t.createTBody();
  for (const cells of table.rows) {
    const row = body.insertRow();
    cells.forEach((text, i) => row.append(i === 0 ? headCell(text, "row") : dataCell(text)));
  }
  place.replaceChildren(t);
}

function stackRow(table) {
  const row = document.createElement("tr");
  row.append(...table.lead.map(() => document.createElement("td")));
  for (const stack of table.stacks) {
    const th = headCell(`${mark(stack)} ${stack}`, "colgroup");
    th.colSpan = table.heads.length;
    th.className = `stack s-${stack}`;
    row.append(th);
  }
  return row;
}

function headRow(table) {
  const row = document.createElement("tr");
  const groups = table.stacks.length ? table.stacks : [""];
  row.append(...[...table.lead, ...groups.flatMap(() => table.heads)].map((text) => headCell(text, "col")));
  return row;
}

function headCell(text, scope) {
  const th = document.createElement("th");
  th.scope = scope;
  th.textContent = text;
  return th;
}

function dataCell(text) {
  const td = document.createElement("td");
  td.textContent = text;
  return td;
}
