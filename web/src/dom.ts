/** A few lines that stand in for a framework. */

export function byId<T extends Element = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as unknown as T;
}

type Attributes = Record<string, string | number | boolean | null>;

/** An element with attributes (true: present, false or null: absent) and children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K, attributes: Attributes = {}, ...children: Array<Node | string>
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) node.setAttribute(name, '');
    else if (value !== false && value !== null) node.setAttribute(name, String(value));
  }
  node.append(...children);
  return node;
}

const SVG = 'http://www.w3.org/2000/svg';

export function icon(name: string): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  setIcon(svg, name);
  return svg;
}

export function setIcon(svg: Element, name: string): void {
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.replaceChildren(use);
}

export function iconButton(
  name: string, label: string, title: string, attributes: Attributes, press: () => void,
): HTMLButtonElement {
  const button = element(
    'button', { type: 'button', class: 'icon-button', 'aria-label': label, title, ...attributes }, icon(name),
  );
  button.addEventListener('click', press);
  return button;
}

/** Arrow keys move within a radio group; the group is one stop for Tab. */
export function roving(group: HTMLElement, choose: (item: HTMLElement) => void): void {
  group.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    const items = [...group.querySelectorAll<HTMLElement>('[role=radio]')];
    const at = items.indexOf(document.activeElement as HTMLElement);
    const next = items[(at + step + items.length) % items.length];
    if (at < 0 || next === undefined) return;
    event.preventDefault();
    choose(next);
    next.focus();
  });
}

/** Mark the chosen one of a radio group. */
export function check(group: HTMLElement, chosen: (item: HTMLElement) => boolean): void {
  const items = [...group.querySelectorAll<HTMLElement>('[role=radio]')];
  const any = items.some(chosen);
  items.forEach((item, index) => {
    item.setAttribute('aria-checked', String(chosen(item)));
    item.tabIndex = chosen(item) || (!any && index === 0) ? 0 : -1;
  });
}
