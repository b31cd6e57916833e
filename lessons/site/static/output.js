// What a cell gave, below the cell: text, figures, tables and errors.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export function button(label, title, onclick) {
  return element("button", { type: "button", class: "run-button", title, onclick }, label);
}

export function show(place, { kind, text, alt }) {
  const last = place.lastElementChild;
  if (kind === "text" && last?.className === "out-text") last.textContent += text;
  else if (kind === "image") place.append(element("img", { src: "data:image/png;base64," + text, alt: alt || "a figure" }));
  else if (kind === "sound") place.append(element("p", {}, element("audio", { controls: true, src: "data:audio/wav;base64," + text, "aria-label": alt }), " " + alt));
  else if (kind === "markdown") place.append(markdown(text));
  else place.append(element("pre", { class: "out-" + kind, tabindex: "0" }, text));
}

// Tables and blocks of code, which is what lessons show; anything else stays as it is written.
function markdown(text) {
  const lines = text.split("\n");
  if (lines[0].startsWith("```")) return element("pre", { class: "out-text", tabindex: "0" }, lines.slice(1, -1).join("\n").replace(/```$/, ""));
  if (!lines[0].startsWith("|")) return element("div", { class: "out-markdown" }, ...inline(text));
  const cells = (line) => line.replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
  const right = cells(lines[1]).map((rule) => rule.endsWith(":") && !rule.startsWith(":"));
  const row = (line, name) =>
    element("tr", {}, ...cells(line).map((cell, i) =>
      element(name, { class: right[i] ? "right" : null, scope: name === "th" ? "col" : null }, ...inline(cell))));
  return element("div", { class: "out-table", tabindex: "0" },
    element("table", {},
      element("thead", {}, row(lines[0], "th")),
      element("tbody", {}, ...lines.slice(2).filter(Boolean).map((line) => row(line, "td")))));
}

function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) =>
    part.startsWith("`") && part.length > 1 ? element("code", {}, part.slice(1, -1))
    : part.startsWith("**") && part.length > 3 ? element("strong", {}, part.slice(2, -2)) : part);
}
