/**
 * Seeded random numbers.
 */
export { RandomStream } from '../core/random.js';
