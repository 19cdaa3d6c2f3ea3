/**
 * Points from a CSV file, by the csv-parse package: a row a point, each column scaled to the unit interval, so that one
 * bandwidth suits all.
 */
import { parse } from 'csv-parse/browser/esm/sync';
import type { OwnPoints } from './protocol.js';

/** More would take longer than a page should. */
export const MOST_POINTS = 8192;
const MOST_COLUMNS = 64;
const LEAST_POINTS = 32;

const isNumber = (cell: string): boolean => cell.trim() !== '' && Number.isFinite(Number(cell));

/** What is wrong with a file, in words for its owner. */
export class CsvError extends Error {}

/** The points of a text; a first row of names is left out. Throws CsvError, naming line and column. */
export function pointsOf(text: string): OwnPoints {
  let rows: string[][];
  try {
    rows = parse(text, { bom: true, trim: true, skip_empty_lines: true, delimiter: [',', ';', '\t'] });
  } catch (error) {
    throw new CsvError(`This is no table: ${(error as Error).message}.`);
  }
  const names = rows.length > 0 && !rows[0].some(isNumber) ? 1 : 0;
  const points = rows.slice(names, names + MOST_POINTS);
  const dimension = points[0]?.length ?? 0;
  if (points.length < LEAST_POINTS)
    throw new CsvError(`The file has ${points.length} points; at least ${LEAST_POINTS} are needed.`);
  if (dimension > MOST_COLUMNS) throw new CsvError(`The file has ${dimension} columns; ${MOST_COLUMNS} are the most.`);
  const coordinates = new Float64Array(points.length * dimension);
  points.forEach((row, i) => {
    row.forEach((cell, k) => {
      if (!isNumber(cell))
        throw new CsvError(`Row ${i + names + 1}, column ${k + 1} holds “${cell.slice(0, 30)}”, which is no number.`);
      coordinates[dimension * i + k] = Number(cell);
    });
  });
  scaleColumns(coordinates, dimension);
  return { dimension, count: points.length, coordinates };
}

/** Each column from 0 to 1; one that is constant to 0. */
function scaleColumns(coordinates: Float64Array, dimension: number): void {
  for (let k = 0; k < dimension; k++) {
    let [least, most] = [Infinity, -Infinity];
    for (let at = k; at < coordinates.length; at += dimension) {
      least = Math.min(least, coordinates[at]);
      most = Math.max(most, coordinates[at]);
    }
    const scale = most > least ? 1 / (most - least) : 0;
    for (let at = k; at < coordinates.length; at += dimension) coordinates[at] = scale * (coordinates[at] - least);
  }
}
