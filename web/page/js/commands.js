// What a text in the composer asks for: to be sent, or a command that begins with a slash.

/**
 * @typedef {{ kind: 'send', text: string } | { kind: 'nick' | 'join', name: string } |
 *   { kind: 'help', unknown?: string }} Wish
 */

/**
 * Returns what a text asks for. Two slashes at the beginning stand for one that is no command, and
 * so does a path such as /etc/hosts.
 *
 * @param {string} text without spaces around it
 * @returns {Wish}
 */
export function parseWish(text) {
  if (text.startsWith('//')) return { kind: 'send', text: text.slice(1) }
  const match = /^\/([\p{L}?]+)(?:\s+(.*))?$/su.exec(text)
  if (!match) return { kind: 'send', text }
  const [, command, rest = ''] = match
  switch (command.toLowerCase()) {
    // all pages know how to show it
    case 'me': return rest ? { kind: 'send', text } : { kind: 'help' }
    case 'nick': return rest ? { kind: 'nick', name: rest.trim() } : { kind: 'help' }
    case 'join': return rest ? { kind: 'join', name: rest.trim().replace(/^#/, '') }
      : { kind: 'help' }
    case 'help': case '?': return { kind: 'help' }
    default: return { kind: 'help', unknown: command }
  }
}

/**
 * Returns what somebody does in a message such as "/me waves"; undefined for every other message.
 *
 * @param {string} text
 */
export const actionOf = (text) => /^\/me\s+(\S.*)$/su.exec(text)?.[1]
