/**
 * The version of this library. Layer 0.
 * A literal, which a bundle can hold; a test compares it with package.json.
 */
export const version = '0.1.0';
