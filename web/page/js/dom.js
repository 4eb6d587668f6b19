// Elements from data. Text always becomes a text node: nothing here, or anywhere in the page, parses markup.

const svgSpace = 'http://www.w3.org/2000/svg'

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value)
    else if (name.startsWith('--')) element.style.setProperty(name, value)
    else element.setAttribute(name, value === true ? '' : value)
  }
  for (const child of children.flat()) {
    if (child !== undefined && child !== null && child !== false) element.append(child)
  }
  return element
}

// h makes an HTML element. Attributes named on… are listeners, those named --… custom properties of its style; null,
// undefined and false leave an attribute or a child out.
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children)
}

// svg makes an SVG element in the same way.
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(svgSpace, tag), attributes, children)
}

export const byId = (id) => document.getElementById(id)

// setText changes an element's text only if it differs, so that nothing is laid out or announced for nothing.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text
}

// keyed makes the children of parent those that items stand for, in order, keeping the elements of keys already there:
// focus and scroll positions survive. make(item) builds an element, update(element, item) brings one up to date.
export function keyed(parent, items, key, make, update) {
  const old = new Map()
  for (const element of parent.children) old.set(element.dataset.key, element)
  let next = parent.firstElementChild
  for (const item of items) {
    const k = key(item)
    let element = old.get(k)
    if (element) old.delete(k)
    else {
      element = make(item)
      element.dataset.key = k
    }
    update(element, item)
    if (element === next) next = next.nextElementSibling
    else parent.insertBefore(element, next)
  }
  for (const element of old.values()) element.remove()
}
