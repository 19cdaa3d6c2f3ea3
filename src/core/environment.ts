/**
 * What the process says of itself, where there is one: a browser has none.
 */

/** Node's name of the operating system ('linux', 'darwin', 'win32'), or 'browser'. */
export const PLATFORM: string = typeof process === 'undefined' ? 'browser' : process.platform;

/** The version of Node, or what runs instead. */
export const NODE_VERSION: string = typeof process === 'undefined' ? 'none: a browser' : process.versions.node;

/** The environment variable, if it is set. */
export const environmentVariable = (name: string): string | undefined =>
  typeof process === 'undefined' ? undefined : process.env[name];
