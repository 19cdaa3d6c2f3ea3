/**
 * Generated data: images, points of a table.
 */
export { covertypePoints } from '../../datasets/covertype.js';
export { digitImages, type DigitImages } from '../../datasets/digits.js';
export { shapeImages } from '../../datasets/shapes.js';
