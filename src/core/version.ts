/**
 * The version of this library.
 * A literal, which a bundle can hold; a test compares it with package.json.
 */
export const version = '0.1.0';
