// Text with ANSI colours as DOM nodes. Everything else that a terminal would obey is dropped; nothing is parsed as HTML.
// `state` lives across calls, because a colour may last for many lines: { fg, bg, bold, dim, italic, under, strike, reverse }.
window.ansi = (() => {
  const SEQUENCE = /\x1b(?:\[([0-9;:]*)m|\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[@-Z\\-_a-z0-9=>()#].?)/g;
  const SWITCHES = { 1: ["bold", 1], 2: ["dim", 1], 3: ["italic", 1], 4: ["under", 1], 7: ["reverse", 1], 9: ["strike", 1],
    23: ["italic", 0], 24: ["under", 0], 27: ["reverse", 0], 29: ["strike", 0], 39: ["fg", null], 49: ["bg", null] };

  function nearest(codes) { // after 38 or 48: a palette index or a colour, as one of our eight
    const kind = codes.shift();
    if (kind === 5) {
      const n = codes.shift() ?? 0;
      if (n < 16) return n % 8;
      if (n > 231) return n > 243 ? 7 : 0;
      const c = n - 16;
      return bits(Math.floor(c / 36) * 51, Math.floor((c % 36) / 6) * 51, (c % 6) * 51);
    }
    return kind === 2 ? bits(...codes.splice(0, 3)) : null;
  }
  const bits = (r = 0, g = 0, b = 0) => (r > 110) + 2 * (g > 110) + 4 * (b > 110);

  function apply(state, text) {
    const codes = text ? text.split(/[;:]/).map(Number) : [0];
    while (codes.length) {
      const code = codes.shift();
      if (code === 0) for (const key of Object.keys(state)) delete state[key];
      else if (code === 22) delete state.bold, delete state.dim;
      else if (code in SWITCHES) state[SWITCHES[code][0]] = SWITCHES[code][1];
      else if (code >= 30 && code <= 37) state.fg = code - 30;
      else if (code >= 90 && code <= 97) state.fg = code - 90;
      else if (code >= 40 && code <= 47) state.bg = code - 40;
      else if (code >= 100 && code <= 107) state.bg = code - 100;
      else if (code === 38 || code === 48) state[code === 38 ? "fg" : "bg"] = nearest(codes);
    }
  }

  function classes(state) {
    const names = ["bold", "dim", "italic", "under", "strike", "reverse"].filter((key) => state[key]).map((key) => `a-${key}`);
    if (state.fg != null) names.push(`a${state.fg}`);
    if (state.bg != null) names.push(`b${state.bg}`);
    return names.join(" ");
  }

  function add(target, text, state) {
    const clean = text.replace(/[\x00-\x08\x0b-\x1f\x7f]/g, "");
    if (!clean) return;
    const name = classes(state);
    const node = name ? Object.assign(document.createElement("span"), { className: name }) : document.createTextNode("");
    node.textContent = clean;
    target.append(node);
  }

  return function ansi(target, text, state) {
    let from = 0;
    for (const match of text.matchAll(SEQUENCE)) {
      add(target, text.slice(from, match.index), state);
      if (match[1] !== undefined) apply(state, match[1]);
      from = match.index + match[0].length;
    }
    add(target, text.slice(from), state);
  };
})();
