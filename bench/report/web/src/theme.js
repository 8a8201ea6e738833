// Light and dark: the system's choice, unless the reader presses the button. Paper is always light.

const dark = matchMedia("(prefers-color-scheme: dark)");
const printing = matchMedia("print");

export function mountTheme(document, redraw) {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const isDark = () => (root.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  const show = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", isDark() ? "Use light colours" : "Use dark colours");
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    show();
    redraw();
  });
  dark.addEventListener("change", () => {
    show();
    redraw();
  });
  printing.addEventListener("change", () => redraw(printing.matches));
  addEventListener("beforeprint", () => redraw(true));
  addEventListener("afterprint", () => redraw(false));
  show();
}

// colours are those that the page's style sheet has for the moment; on paper the light ones.
export function colours(paper) {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  const all = {
    ink: of("ink"), quiet: of("quiet"), line: of("line"), card: of("card"), shade: of("shade"),
    sync: of("sync"), async: of("async"), syncSoft: of("sync-soft"), asyncSoft: of("async-soft"),
  };
  if (!paper) return all;
  return {
    ...all, ink: "#14171a", quiet: "#4d555d", line: "#cfd3d6", card: "#ffffff", shade: "#1b1f2414",
    sync: "#00659e", async: "#b34700", syncSoft: "#00659e1f", asyncSoft: "#b347001f",
  };
}
