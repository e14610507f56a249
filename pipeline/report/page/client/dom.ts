/**
 * Elements in one call. Text goes in as text nodes, so names from models and files can't become markup.
 *
 * @module
 */
/// <reference lib="dom" />

type Child = Node | string | number | null | undefined | false;
type Properties = Readonly<
  Record<string, string | number | boolean | null | ((event: Event) => void)>
>;

/** An element; functions become listeners of the event that the key names, `true` an empty attribute. */
export function h(tag: string, properties: Properties = {}, ...children: Child[]): HTMLElement {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value !== null && value !== false) {
      element.setAttribute(key, value === true ? "" : String(value));
    }
  }
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(typeof child === "number" ? String(child) : child);
  }
  return element;
}

/** A long name that may be broken behind its separators. */
export function breakable(name: string): HTMLElement {
  const parts = name.split(/(?<=[/._:])/).flatMap((part) => [part, h("wbr")]);
  return h("span", {}, ...parts.slice(0, -1));
}

/** Terms and what they stand for; entries of null are left out. */
export function terms(entries: readonly (readonly [string, Child] | null)[]): HTMLElement {
  const list = h("dl", { class: "facts" });
  for (const entry of entries) {
    if (entry !== null) list.append(h("div", {}, h("dt", {}, entry[0]), h("dd", {}, entry[1])));
  }
  return list;
}
