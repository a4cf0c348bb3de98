// Search over the static index: a table of parts, newest first, read a few at a time while too little is found.
// A document matches when every word of the query begins one of its words (in scripts
// beyond Latin, Greek and Cyrillic, when it occurs anywhere). Nothing of it is put into the page as HTML.
(() => {
  const SHOWN = 50; // results on the page
  const AT_ONCE = 4; // parts at a time
  const UNASKED = 8; // parts read before the reader asks
  const TITLE = 12, TAG = 6, AUTHOR = 4, EXCERPT = 1, WHOLE = 3;

  const input = document.getElementById("fs-q");
  const list = document.getElementById("fs-results");
  const status = document.getElementById("fs-status");
  const more = document.getElementById("fs-more");
  if (!input || !list || !list.dataset.index) return;

  let table;
  let parts = [];
  let docs = []; // documents read so far, in the index's order
  let read = 0; // parts
  let limit = UNASKED;
  let run = 0;

  // fold makes spellings comparable: compatibility forms, case, Latin and Arabic marks, the Devanagari dot, joiners.
  const fold = (text) =>
    text
      .normalize("NFKD")
      .toLowerCase()
      .replace(/[\u0300-\u036f\u0610-\u061a\u0640\u064b-\u065f\u0670\u093c\u200b-\u200d\ufe0f]/g, "")
      .replace(/[^\p{L}\p{N}\p{M}+#]+/gu, " ")
      .trim();
  const field = (text) => ` ${fold(text || "")} `;
  const terms = (query) =>
    [...new Set(fold(query).split(" "))].filter(Boolean).map((word) => (/[^\u0000-\u058f]/.test(word) ? word : " " + word));

  const json = async (url) => {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
    return answer.json();
  };
  const ready = async () => {
    table ??= json(list.dataset.index);
    try {
      parts = (await table).parts || [];
    } catch (error) {
      table = undefined; // ask again next time
      throw error;
    }
  };
  const readMore = async () => {
    const from = read;
    const next = await Promise.all(parts.slice(from, from + AT_ONCE).map((part) => json(part.url)));
    if (read !== from) return; // read meanwhile
    read += next.length;
    for (const part of next) {
      for (const doc of part.docs || []) {
        docs.push({ doc, title: field(doc.t), tags: field((doc.g || []).join(" ")), authors: field((doc.a || []).join(" ")), excerpt: field(doc.x) });
      }
    }
  };

  const score = (entry, words) => {
    let sum = 0;
    for (const word of words) {
      const here =
        (entry.title.includes(word) && TITLE + (entry.title.includes(word + " ") ? WHOLE : 0)) ||
        (entry.tags.includes(word) && TAG) ||
        (entry.authors.includes(word) && AUTHOR) ||
        (entry.excerpt.includes(word) && EXCERPT);
      if (!here) return 0;
      sum += here;
    }
    return sum;
  };
  const find = (words) =>
    docs
      .map((entry) => ({ entry, score: score(entry, words) }))
      .filter((hit) => hit.score)
      .sort((a, b) => b.score - a.score); // stable: the newer first

  const add = (parent, name, kind, text) => {
    const element = parent.appendChild(document.createElement(name));
    if (kind) element.className = kind;
    if (text) {
      element.textContent = text;
      element.dir = "auto";
    }
    return element;
  };
  const lang = document.documentElement.lang || "en";
  const when = new Intl.DateTimeFormat(lang === "en" ? "en-GB" : lang, { dateStyle: "long", timeZone: "UTC" });
  const show = (hits) => {
    const page = document.createDocumentFragment();
    for (const { entry: { doc } } of hits.slice(0, SHOWN)) {
      const card = add(page, "article", "card");
      const day = doc.d ? new Date(doc.d) : NaN;
      if (!isNaN(day)) add(card, "time", "when", when.format(day)).dateTime = doc.d;
      const what = add(card, "div", "what");
      const link = add(add(what, "h2"), "a", "", doc.t || doc.u);
      const url = new URL(doc.u, location.origin);
      if (url.origin === location.origin) link.href = url.pathname + url.search;
      if (doc.x) add(what, "p", "lead", doc.x);
      const meta = add(what, "ul", "meta");
      for (const text of [...(doc.a || []), ...(doc.g || []).slice(0, 4)]) add(add(meta, "li"), "bdi", "", text);
    }
    list.replaceChildren(page);
  };

  const search = async () => {
    const query = input.value.trim();
    const words = terms(query);
    const mine = ++run;
    const address = new URL(location.href);
    query ? address.searchParams.set("q", query) : address.searchParams.delete("q");
    if (address.href !== location.href) history.replaceState(null, "", address);
    more.hidden = true;
    if (!words.length) {
      list.replaceChildren();
      status.textContent = "";
      return;
    }
    try {
      await ready();
      let hits = find(words);
      while (mine === run && hits.length < SHOWN && read < Math.min(parts.length, limit)) {
        show(hits);
        status.textContent = "Searching…";
        await readMore();
        hits = find(words);
      }
      if (mine !== run) return;
      show(hits);
      const many = hits.length > SHOWN || (hits.length === SHOWN && read < parts.length);
      const count = hits.length === 1 ? "1 result" : many ? `The best ${SHOWN} results` : `${hits.length || "No"} results`;
      more.hidden = read >= parts.length || hits.length >= SHOWN;
      status.textContent = `${count}${more.hidden ? "" : " so far"} for “${query}”`;
    } catch {
      if (mine === run) status.textContent = "The search index could not be read. Try again in a moment.";
    }
  };

  let timer;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(search, 150);
  };
  input.addEventListener("input", (event) => event.isComposing || soon());
  input.addEventListener("compositionend", soon);
  input.form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    search();
  });
  more.addEventListener("click", () => {
    limit = read + UNASKED;
    search();
  });
  input.value = new URLSearchParams(location.search).get("q") || "";
  if (input.value) search();
  else input.focus({ preventScroll: true });
})();
