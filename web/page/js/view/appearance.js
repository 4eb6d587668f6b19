// Gives the page the look that its operator has chosen: colours, logo, and which parts show.

import { h, elements, setProperty } from '../dom.js'
import { isShown, settings } from '../settings.js'

/** @import { Part } from '../settings.js' */

/** Applies the operator's settings to the document. They do not change while the page is open. */
export function applySettings() {
  const root = document.documentElement
  root.toggleAttribute('data-embedded', settings.isEmbedded)
  for (const element of elements(document.querySelectorAll('[data-part]'))) {
    element.toggleAttribute('data-off', !isShown(/** @type {Part} */ (element.dataset.part)))
  }
  const [light, dark = `color-mix(in oklab, ${light}, white 45%)`] = settings.accent
  if (light) {
    const darkInk = settings.accent.length > 1 ? inkOn(dark) : '#06201f'
    setProperty(root, '--accent', `light-dark(${light}, ${dark})`)
    setProperty(root, '--accent-ink', `light-dark(${inkOn(light)}, ${darkInk})`)
    setProperty(root, '--accent-soft', 'color-mix(in srgb, var(--accent) 15%, var(--ground))')
    setProperty(root, '--own', 'color-mix(in srgb, var(--accent) 6%, var(--ground))')
  }
  if (settings.logo) {
    for (const mark of document.querySelectorAll('svg.mark')) {
      mark.replaceWith(h('img',
        { class: 'mark', src: new URL(settings.logo, document.baseURI).href, alt: '' }))
    }
  }
}

/**
 * Returns black or white, whichever stands out more from a colour: WCAG 2.2, relative luminance.
 *
 * @param {string} colour as #rrggbb
 */
export function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? '#000000' : '#ffffff'
}
