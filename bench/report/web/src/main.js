// The page without this script is whole but for the charts; the numbers of each chart stand under it as a table.
import { mountCharts } from "./charts.js";
import { mountTheme } from "./theme.js";

const redraw = mountCharts(document);
mountTheme(document, redraw);
