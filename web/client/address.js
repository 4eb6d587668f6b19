// Where a server is: what io() reads in an address.

/**
 * The path at which the server of this script has Socket.IO: that of the script itself, which
 * differs from the usual one where a server is reached below another path. It holds for the
 * script's own origin alone.
 */
const script = (() => {
  const element =
    /** @type {HTMLScriptElement | null} */ (globalThis.document?.currentScript ?? null)
  const src = element?.src ?? import.meta.url
  const [, origin, path] =
    /^(https?:\/\/[^/]+)(\/.*socket\.io)\/socket\.io\.[a-z.]*js/.exec(src ?? '') ?? []
  return { origin, path }
})()

/**
 * Takes an address apart as io() does: its path is a namespace, its query goes to the server with
 * each request.
 *
 * @param {string | undefined} address "https://host:port/namespace?query", with anything but the
 *   host left out, or only the namespace; that of the page if it is missing
 * @param {Record<string, any>} opts
 */
export function locate(address, opts) {
  const page = /** @type {Location | undefined} */ (globalThis.location)
  const local = page?.host ? page.protocol + '//' + page.host : ''
  let text = address || local || 'http://localhost'
  if (/^\/(?!\/)/.test(text)) text = local + text
  else if (text.startsWith('//')) text = (page?.protocol ?? 'https:') + text
  else if (!/^(https?|wss?):\/\//.test(text)) text = (page?.protocol ?? 'https:') + '//' + text
  const url = new URL(text)
  const secure = /^(https|wss):$/.test(url.protocol)
  const hostname = opts.hostname ?? url.hostname.replace(/^\[|\]$/g, '')
  const port = String(opts.port || url.port || (secure ? 443 : 80))
  const origin = url.origin.replace(/^ws/, 'http')
  const path = opts.path || (origin === script.origin && script.path) || '/socket.io'
  return {
    uri: url.protocol + '//' + url.host, id: [secure, hostname, port, path].join(), secure,
    hostname, port, path,
    namespace: url.pathname,
    query: Object.fromEntries([...url.searchParams, ...new URLSearchParams(opts.query)]),
  }
}
