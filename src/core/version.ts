/**
 * The version of this library.
 * A literal, which a bundle can hold; a test compares it with package.json.
 */
/** Version of the library, as package.json has it: major.minor.patch. */
export const version = '0.1.0';
