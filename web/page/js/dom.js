// Builds elements from data. Text always becomes a text node: no module of the page parses markup.

const svgNamespace = 'http://www.w3.org/2000/svg'

/**
 * @typedef {Node | string | null | undefined | false} Child a child of an element; the last three
 *   are left out
 */
/** @typedef {Record<string, unknown> | null} Attributes */

/**
 * @template {Element} T
 * @param {T} element
 * @param {Attributes} attributes
 * @param {(Child | Child[])[]} children
 */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue
    if (typeof value === 'function') {
      element.addEventListener(name.slice('on'.length), /** @type {EventListener} */ (value))
    } else if (name.startsWith('--')) setProperty(element, name, String(value))
    else element.setAttribute(name, value === true ? '' : String(value))
  }
  for (const child of children.flat()) {
    if (child !== undefined && child !== null && child !== false) element.append(child)
  }
  return element
}

/**
 * Sets a custom property of an element's style.
 *
 * @param {Element} element
 * @param {string} name
 * @param {string} value
 */
export function setProperty(element, name, value) {
  if (element instanceof HTMLElement || element instanceof SVGElement)
    element.style.setProperty(name, value)
}

/**
 * Makes an HTML element. An attribute that is a function, such as onclick, becomes a listener; one
 * that starts with two hyphens becomes a custom property of the style. Null, undefined and false
 * leave an attribute or a child out.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} attributes
 * @param {(Child | Child[])[]} children
 */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children)
}

/**
 * Makes an SVG element in the same way.
 *
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} attributes
 * @param {(Child | Child[])[]} children
 */
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(svgNamespace, tag), attributes, children)
}

/**
 * Returns the element with this id. Throws if the document has none of this type.
 *
 * @template {Element} T
 * @param {string} id
 * @param {{ new (): T }} type
 */
export function byId(id, type) {
  const element = document.getElementById(id)
  if (!(element instanceof type))
    throw new Error(`the document has no ${type.name} with the id ${id}`)
  return element
}

/**
 * Changes an element's text only if it differs, so that an unchanged text causes no layout and is
 * not read out again.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text
}

/**
 * Makes the children of parent match items, in their order. Children whose keys are still there are
 * kept, so focus and scroll positions survive.
 *
 * @template T
 * @param {HTMLElement} parent
 * @param {T[]} items
 * @param {(item: T) => string} key
 * @param {(item: T) => HTMLElement} make builds the element of an item
 * @param {(element: HTMLElement, item: T) => void} update brings an element up to date
 */
export function keyed(parent, items, key, make, update) {
  /** @type {Map<string | undefined, HTMLElement>} */
  const old = new Map()
  for (const element of elements(parent.children)) old.set(element.dataset.key, element)
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

/**
 * Returns the HTML elements among nodes.
 *
 * @param {Iterable<Node>} nodes
 */
export function elements(nodes) {
  return [...nodes].filter((node) => node instanceof HTMLElement)
}

/**
 * Returns the first HTML element below parent that matches selector. Throws if there is none.
 *
 * @param {ParentNode} parent
 * @param {string} selector
 */
export function find(parent, selector) {
  const element = parent.querySelector(selector)
  if (!(element instanceof HTMLElement)) throw new Error(`there is no element ${selector}`)
  return element
}

/**
 * Returns the nearest HTML element around target, itself included, that matches selector.
 *
 * @param {EventTarget | null} target
 * @param {string} selector
 */
export function closest(target, selector) {
  const element = target instanceof Element ? target.closest(selector) : null
  return element instanceof HTMLElement ? element : null
}
