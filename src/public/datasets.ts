/**
 * Generated data: images, points of a table, sentences.
 */
export { covertypePoints } from '../../datasets/covertype.js';
export { digitImages, type DigitImages } from '../../datasets/digits.js';
export { shapeImages } from '../../datasets/shapes.js';
export { translationPairs } from '../../datasets/translation.js';
