// Asks once before the user leaves the chat, because unsent messages and drafts are lost with it.

/** @import { Actions } from '../actions.js' */

/**
 * @param {object} options
 * @param {HTMLElement} options.leave
 * @param {HTMLElement} options.question
 * @param {HTMLElement} options.confirm
 * @param {HTMLElement} options.cancel
 * @param {Pick<Actions, 'leaveChat'>} options.actions
 */
export function createLeave({ leave, question, confirm, cancel, actions }) {
  /** @param {boolean} asking */
  function ask(asking) {
    question.hidden = !asking
    leave.hidden = asking
    leave.setAttribute('aria-expanded', String(asking))
  }

  leave.addEventListener('click', () => {
    ask(true)
    confirm.focus()
  })
  cancel.addEventListener('click', () => {
    ask(false)
    leave.focus()
  })
  question.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return
    event.preventDefault()
    cancel.click()
  })
  confirm.addEventListener('click', () => {
    ask(false)
    actions.leaveChat()
  })
}
