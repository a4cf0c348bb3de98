// The colour switch. It runs before the page is painted, so that a reader's choice never flashes. The choice is kept
// only while it differs from the system's.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const wide = matchMedia("(min-width: 60rem)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const load = () => {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage is forbidden: the choice lasts as long as the page
    }
  };
  const keep = (choice) => {
    try {
      choice ? localStorage.setItem("theme", choice) : localStorage.removeItem("theme");
    } catch {
      // as above
    }
  };
  const apply = (choice) => {
    if (choice === "dark" || choice === "light") root.dataset.theme = choice;
    else delete root.dataset.theme;
  };
  const show = () => {
    const on = dark();
    document.getElementById("fs-theme")?.setAttribute("aria-pressed", on);
    for (const meta of document.querySelectorAll('meta[name="theme-color"]')) {
      meta.dataset.own ??= meta.content;
      const own = meta.media.includes("dark");
      const other = document.querySelector(`meta[name="theme-color"][media*="${own ? "light" : "dark"}"]`);
      if (other) other.dataset.own ??= other.content;
      meta.content = own === on || !other ? meta.dataset.own : other.dataset.own;
    }
  };
  // On wide screens the contents stand open beside the text.
  const unfold = () => {
    for (const fold of document.querySelectorAll("details.fold")) fold.open = wide.matches;
  };

  root.dataset.script = "";
  apply(load());
  system.addEventListener("change", show);
  wide.addEventListener("change", unfold);
  addEventListener("storage", (event) => {
    if (event.key === "theme") apply(event.newValue), show();
  });
  document.addEventListener("DOMContentLoaded", () => {
    show();
    unfold();
  });
  document.addEventListener("click", (event) => {
    const fold = event.target.closest(".fold a") && !wide.matches;
    if (fold) event.target.closest(".fold").open = false;
    if (!event.target.closest("#fs-theme")) return;
    const next = dark() ? "light" : "dark";
    const choice = (next === "dark") === system.matches ? null : next;
    apply(choice);
    keep(choice);
    show();
  });
})();
