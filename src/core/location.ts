/**
 * Where this code lies, and whether a bundler has put it there.
 */

/**
 * This file, as URL or path: `import.meta.url`, or `__filename` in a bundle of CommonJS, where bundlers leave
 * `import.meta` empty.
 */
export const CODE_LOCATION: string = (import.meta.url as string | undefined) ?? __filename;

/**
 * Whether the library was bundled: its code then no longer lies in files of its own names, which workers could load. In
 * a browser it counts as bundled always: there workers get their code as one text.
 */
export const BUNDLED = !/^file:[^?#]*\/core\/location\.js(?:$|[?#])/.test(CODE_LOCATION);
