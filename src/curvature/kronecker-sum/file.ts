/**
 * A Kronecker sum in a file: its flat arrays and its basis as they are, and a header with its report.
 * The arrays are the sections of a container (io/container.ts), which guards them by checksums; reading checks that
 * they fit together.
 */
import { requireControl, type RunControl } from '../../core/context.js';
import { FileFormatError } from '../../core/errors.js';
import { precisionOf, type FloatArray } from '../../core/floats.js';
import { requireRole } from '../../core/kind.js';
import { requireMemory } from '../../core/memory.js';
import { view, type Matrix } from '../../dense/matrix.js';
import {
  readContainer,
  readContainerHeader,
  writeContainer,
  type ContainerArray,
  type JsonObject,
} from '../../io/container.js';
import { availableMemory } from '../../io/machine.js';
import { onTeam, type Control } from '../../parallel/default-team.js';
import type { BasisLayer } from '../eigenbasis/rotation.js';
import { GROUP, PANEL, panelAt, panelCount, type KroneckerSumData } from './data.js';
import type { SumPair } from './grid.js';
import { KroneckerSumMatrix, type KroneckerSumReport } from './matrix.js';

const CONTENT = 'kronecker sum';

/** A layer as the header has it. */
interface FileLayer {
  readonly offset: number;
  readonly width: number;
  readonly outputs: number;
  readonly directions: number;
  readonly units: number;
  readonly outputVectors: boolean;
  readonly complement: boolean;
  readonly term: boolean;
}

interface FileHeader {
  readonly size: number;
  readonly layers: readonly FileLayer[];
  readonly pairs: readonly SumPair[];
  readonly shift: number;
  readonly report: KroneckerSumReport;
}

/** The flat arrays of the data, each a section. */
const FLAT = ['groups', 'panels', 'mixingBegin', 'valuesBegin', 'mixing', 'values'] as const;

/**
 * Writes the matrix to `path`, whole or not at all. Size ≈ `memory().bytes`. Progress counts bytes (phase 'write').
 * Throws OptionError for another matrix, FileAccessError or AbortedError; then `path` is as it was.
 */
export async function saveKroneckerSum(
  path: string,
  matrix: KroneckerSumMatrix,
  control: RunControl = {},
): Promise<void> {
  requireRole(path, 'path', 'saveKroneckerSum');
  requireRole(matrix, 'Kronecker sum', 'saveKroneckerSum');
  requireControl(control, 'saveKroneckerSum');
  const arrays: Record<string, ContainerArray> = {};
  const layers = matrix.layers.map((layer, ℓ): FileLayer => {
    const { inputVectors, outputVectors, complement, offset, width, outputs, units } = layer;
    arrays[`inputVectors.${ℓ}`] = inputVectors.data;
    if (outputVectors !== null) arrays[`outputVectors.${ℓ}`] = outputVectors.data;
    if (complement !== null) arrays[`complement.${ℓ}`] = complement.data;
    const term = matrix.data.terms[ℓ];
    if (term !== null) {
      arrays[`termInputs.${ℓ}`] = term.inputs;
      arrays[`termUnits.${ℓ}`] = term.units;
    }
    return {
      offset,
      width,
      outputs,
      directions: inputVectors.cols,
      units,
      outputVectors: outputVectors !== null,
      complement: complement !== null,
      term: term !== null,
    };
  });
  for (const name of FLAT) arrays[name] = matrix.data[name];
  const header: FileHeader & { content: string } = {
    content: CONTENT,
    size: matrix.size,
    layers,
    pairs: matrix.data.pairs,
    shift: matrix.data.shift,
    report: matrix.report,
  };
  await writeContainer(path, header as unknown as JsonObject, arrays, control);
}

/**
 * Reads a matrix that `saveKroneckerSum` wrote, for the team to multiply with: the products have the same bits as the
 * saved matrix's (on the same dense backend). Throws FileFormatError naming what is wrong, FileAccessError, MemoryError
 * (before reading, where it would not fit), AbortedError.
 */
export async function loadKroneckerSum(path: string, given: Control = {}): Promise<KroneckerSumMatrix> {
  requireRole(path, 'path', 'loadKroneckerSum');
  const control = await onTeam(given, 'loadKroneckerSum');
  const summary = await readContainerHeader(path, control);
  const header = parseHeader(summary.header, path);
  requireMemory(summary.bytes, availableMemory(), {
    what: `${path} needs`,
    advice: 'free some, or compress to a smaller matrix.',
    data: { path },
  });
  const { arrays } = await readContainer(path, { signal: control.signal, onProgress: control.onProgress });
  const wrong = (what: string): never => {
    throw inconsistent(path, what);
  };
  const numbers = (name: string, length?: number): Float64Array => {
    const array = arrays[name] as ContainerArray | undefined;
    if (!(array instanceof Float64Array)) return wrong(`section "${name}" is missing or of another type`);
    if (length !== undefined && array.length !== length)
      wrong(`section "${name}" holds ${array.length} numbers, ${length} expected`);
    return array;
  };
  const words = (name: string): Int32Array => {
    const array = arrays[name] as ContainerArray | undefined;
    return array instanceof Int32Array ? array : wrong(`section "${name}" is missing or of another type`);
  };
  const floats = (name: string): FloatArray => {
    const array = arrays[name] as ContainerArray | undefined;
    return array instanceof Float32Array ? array : numbers(name);
  };
  let base = 0;
  const layers = header.layers.map((layer, ℓ): BasisLayer => {
    const { offset, width, outputs, directions, units } = layer;
    const matrix = (name: string, rows: number, cols: number): Matrix =>
      view(numbers(`${name}.${ℓ}`, rows * cols), 0, rows, cols);
    const begin = base;
    base += directions * units;
    return {
      offset,
      width,
      outputs,
      units,
      base: begin,
      inputVectors: matrix('inputVectors', width, directions),
      outputVectors: layer.outputVectors ? matrix('outputVectors', outputs, units) : null,
      complement: layer.complement ? matrix('complement', width, width) : null,
    };
  });
  const data: KroneckerSumData = {
    size: base,
    layers: layers.map(({ base: begin, inputVectors, units }) => ({
      base: begin,
      directions: inputVectors.cols,
      units,
    })),
    pairs: header.pairs,
    groups: words('groups'),
    panels: words('panels'),
    mixingBegin: numbers('mixingBegin'),
    valuesBegin: numbers('valuesBegin'),
    mixing: floats('mixing'),
    values: floats('values'),
    terms: header.layers.map(({ directions, units, term }, ℓ) =>
      term ? { inputs: numbers(`termInputs.${ℓ}`, directions), units: numbers(`termUnits.${ℓ}`, units) } : null,
    ),
    shift: header.shift,
  };
  checkSumData(data, wrong);
  return new KroneckerSumMatrix(layers, data, header.size, header.report, control.team);
}

const inconsistent = (path: string, what: string): FileFormatError =>
  new FileFormatError(`${path}: ${what}. The file does not hold a consistent Kronecker sum: write it anew.`, {
    path,
    what,
  });

/** Calls `wrong` with the first thing that does not fit. */
function checkSumData(data: KroneckerSumData, wrong: (what: string) => never): void {
  const { groups, panels, mixingBegin, valuesBegin, mixing, values, pairs, layers } = data;
  const groupCount = mixingBegin.length;
  if (precisionOf(mixing) !== precisionOf(values)) wrong('panels and factors are of different precisions');
  if (groups.length !== GROUP.words * groupCount) wrong(`${groups.length} words describe ${groupCount} groups`);
  if (panels.length !== PANEL.words * valuesBegin.length)
    wrong(`${panels.length} words describe ${valuesBegin.length} panels`);
  let end = 0;
  for (let g = 0; g < groupCount; g++) {
    const pair = groups[GROUP.words * g + GROUP.pair];
    const modes = groups[GROUP.words * g + GROUP.modes];
    if (pair < 0 || pair >= pairs.length || modes < 1) wrong(`group ${g} is of pair ${pair} with ${modes} modes`);
    const { row, column, diagonal } = pairs[pair];
    if (mixingBegin[g] !== end) wrong(`the factors of group ${g} begin at ${mixingBegin[g]}, not at ${end}`);
    end += modes * layers[row].units * (diagonal ? 1 : layers[column].units);
  }
  if (mixing.length !== end) wrong(`the factors are ${mixing.length} numbers, ${end} expected`);
  end = 0;
  for (let k = 0; k < panelCount(data); k++) {
    const group = panels[PANEL.words * k + PANEL.group];
    if (group < 0 || group >= groupCount) wrong(`panel ${k} is of group ${group}`);
    const { pair, modes, rowBegin, rows, columnBegin, columns, values: begin } = panelAt(data, k);
    const fits = (first: number, count: number, ℓ: number): boolean =>
      first >= 0 && count > 0 && first + count <= layers[ℓ].directions;
    if (!fits(rowBegin, rows, pair.row) || !fits(columnBegin, columns, pair.column))
      wrong(`panel ${k} lies outside its layers`);
    if (pair.row === pair.column && (columnBegin !== rowBegin || columns < rows))
      wrong(`panel ${k} does not begin at the diagonal`);
    if (begin !== end) wrong(`panel ${k} begins at ${begin}, not at ${end}`);
    end += modes * rows * columns;
  }
  if (values.length !== end) wrong(`the panels are ${values.length} numbers, ${end} expected`);
}

function parseHeader(header: JsonObject, path: string): FileHeader {
  if (header['content'] !== CONTENT)
    throw new FileFormatError(
      `${path}: a container of ${JSON.stringify(header['content'] ?? 'something else')}, not of a ${CONTENT}. ` +
        'Give a file written by saveKroneckerSum.',
      { path },
    );
  const wrong = (what: string): never => {
    throw inconsistent(path, what);
  };
  const object = (value: unknown, name: string): Readonly<Record<string, unknown>> =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : wrong(`the header's ${name} is missing`);
  const list = (value: unknown, name: string): readonly unknown[] =>
    Array.isArray(value) ? (value as readonly unknown[]) : wrong(`the header's ${name} is no list`);
  const count = (value: unknown, name: string): number =>
    Number.isSafeInteger(value) && (value as number) >= 0
      ? (value as number)
      : wrong(`the header's ${name} is ${JSON.stringify(value)}, not a count`);
  const size = count(header['size'], 'size');
  let end = 0;
  const layers = list(header['layers'], 'layers').map((one, ℓ): FileLayer => {
    const layer = object(one, `layer ${ℓ}`);
    const of = (name: string): number => count(layer[name], `layers[${ℓ}].${name}`);
    const read: FileLayer = {
      offset: of('offset'),
      width: of('width'),
      outputs: of('outputs'),
      directions: of('directions'),
      units: of('units'),
      outputVectors: layer['outputVectors'] === true,
      complement: layer['complement'] === true,
      term: layer['term'] === true,
    };
    if (read.offset !== end) wrong(`layer ${ℓ} begins at ${read.offset}, not at ${end}`);
    if (!read.outputVectors && read.units !== read.outputs && read.units !== 0)
      wrong(`layer ${ℓ} has ${read.units} units without a basis`);
    end += read.width * read.outputs;
    return read;
  });
  if (end !== size) wrong(`the layers have ${end} parameters of ${size}`);
  const pairs = list(header['pairs'], 'pairs').map((one, k): SumPair => {
    const pair = object(one, `pair ${k}`);
    const [row, column] = [count(pair['row'], `pairs[${k}].row`), count(pair['column'], `pairs[${k}].column`)];
    if (row >= layers.length || column >= layers.length) wrong(`pair ${k} is of layers ${row} and ${column}`);
    return { row, column, diagonal: pair['diagonal'] === true };
  });
  const shift = header['shift'];
  if (!(typeof shift === 'number' && shift >= 0)) wrong(`the header's shift is ${JSON.stringify(shift)}, not a number`);
  const report = object(header['report'], 'report');
  if (report['size'] !== size) wrong(`the report is of another matrix: its size is ${JSON.stringify(report['size'])}`);
  for (const name of ['norm', 'error', 'rounding'])
    if (typeof report[name] !== 'number') wrong(`the report's ${name} is ${JSON.stringify(report[name])}`);
  object(report['seconds'], 'report.seconds');
  return { size, layers, pairs, shift: shift as number, report: report as unknown as KroneckerSumReport };
}
