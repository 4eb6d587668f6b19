// Time that passes. The clock on the wall is set, by people and by the system, so it tells when
// something happened but not how long ago.

/**
 * Returns the ms since the page was loaded. They only grow; in some browsers not while the computer
 * sleeps.
 */
export const now = () => performance.now()
