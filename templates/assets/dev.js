// Live reload for `freshet dev`: reloads when the site was built anew, and lays the build's problems over the page.
(() => {
  const SPOT = "freshet-scroll";
  const saved = sessionStorage.getItem(SPOT);
  if (saved) {
    sessionStorage.removeItem(SPOT);
    const { path, x, y } = JSON.parse(saved);
    if (path === location.pathname) addEventListener("load", () => scrollTo({ left: x, top: y, behavior: "instant" }));
  }

  const CSS = `
    :host { all: initial }
    section { position: fixed; inset: auto 0 0; z-index: 2147483647; max-height: 70vh; overflow: auto; padding: 1rem 1.25rem 1.5rem;
      background: #1b1413; color: #f4eeec; border-top: 4px solid #f2978f; font: 15px/1.5 system-ui, sans-serif; color-scheme: dark }
    section.mild { border-color: #e3b667 }
    header { display: flex; justify-content: space-between; align-items: center; gap: 1rem }
    h2 { margin: 0; font-size: 1.05rem }
    button { padding: .3rem .9rem; border: 1px solid #8d7f7c; border-radius: 4px; background: none; color: inherit; font: inherit; cursor: pointer }
    button:focus-visible { outline: 3px solid #e3b667 }
    ol { margin: 0; padding: 0; list-style: none }
    li { padding: .75rem 0 0; overflow-wrap: anywhere }
    b { color: #f2978f } b.warning { color: #e3b667 }
    code, pre { font: 13px/1.5 ui-monospace, Menlo, Consolas, monospace }
    pre { margin: .3rem 0; padding: .5rem .75rem; background: #2a201e; overflow-x: auto }
    p { margin: .2rem 0 }
    .remedy { color: #cfc2be }
  `;
  let host;
  const add = (parent, name, text = "", kind = "") => {
    const element = parent.appendChild(document.createElement(name));
    element.textContent = text;
    element.className = kind;
    return element;
  };
  const dismiss = () => {
    host?.remove();
    host = undefined;
  };
  const overlay = (problems) => {
    dismiss();
    if (!problems.length) return;
    const errors = problems.filter((problem) => problem.severity === "error").length;
    host = document.createElement("freshet-problems");
    const root = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    root.adoptedStyleSheets = [sheet];
    const section = add(root, "section", "", errors ? "" : "mild");
    section.setAttribute("role", "alert");
    const header = add(section, "header");
    add(header, "h2", problems.length === 1 ? "1 problem" : `${problems.length} problems`);
    add(header, "button", "Dismiss").addEventListener("click", dismiss);
    const list = add(section, "ol");
    for (const problem of problems) {
      const item = add(list, "li");
      const place = [problem.file, problem.line, problem.col].filter(Boolean).join(":");
      const line = add(item, "p");
      add(line, "b", problem.severity || "error", problem.severity || "");
      line.append(": ", problem.message || "");
      if (place) add(add(item, "p"), "code", place);
      if (problem.text) add(item, "pre", problem.text);
      if (problem.remedy) add(item, "p", problem.remedy, "remedy");
    }
    document.body.append(host);
  };
  addEventListener("keydown", (event) => event.key === "Escape" && dismiss());

  let source;
  let timer;
  const connect = () => {
    source = new EventSource("/.freshet/dev");
    source.addEventListener("reload", () => {
      sessionStorage.setItem(SPOT, JSON.stringify({ path: location.pathname, x: scrollX, y: scrollY }));
      location.reload();
    });
    source.addEventListener("problems", (event) => overlay(JSON.parse(event.data || "[]") || []));
    // A browser gives up on an answer that is not a stream, such as a restarting server's: ask again.
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) return;
      clearTimeout(timer);
      timer = setTimeout(connect, 1000);
    });
  };
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => event.persisted && connect());
  connect();
})();
