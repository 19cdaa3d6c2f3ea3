/**
 * What is thrown: classes with a `code` and `data`.
 */
export * from '../core/errors.js';
