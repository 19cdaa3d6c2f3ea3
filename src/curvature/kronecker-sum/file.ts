/**
 * Kronecker sums in files: their flat arrays and their basis as they are, and a header with their report.
 */
import { precisionOf } from '../../core/floats.js';
import { kindOf } from '../../core/kind.js';
import type { ContainerArray, JsonObject } from '../../io/container.js';
import { keptReport, type Contents } from '../../io/contents.js';
import type { FileKind } from '../../operator/file-kind.js';
import { keepBasis, restoreBasis, rotatedSize } from '../eigenbasis/basis-file.js';
import type { BasisLayer } from '../eigenbasis/rotation.js';
import { GROUP, PANEL, panelAt, panelCount, type DiagonalTerm, type KroneckerSumData } from './data.js';
import type { SumPair } from './grid.js';
import { KroneckerSumMatrix, type KroneckerSumReport } from './matrix.js';

/** Sums of `kroneckerSum` in files. */
export const kroneckerSumFile: FileKind<KroneckerSumMatrix> = {
  content: 'kronecker sum',
  holds: (value) => kindOf(value) === 'Kronecker sum',

  keep({ size, layers, data, report }) {
    const { pairs, shift, groups, panels, mixingBegin, valuesBegin, mixing, values, terms } = data;
    const basis = keepBasis(layers);
    const arrays: Record<string, ContainerArray> = { ...basis.arrays };
    terms.forEach((term, ℓ) => {
      if (term === null) return;
      arrays[`termInputs.${ℓ}`] = term.inputs;
      arrays[`termUnits.${ℓ}`] = term.units;
    });
    Object.assign(arrays, { groups, panels, mixingBegin, valuesBegin, mixing, values });
    return {
      header: {
        size,
        layers: basis.layers.map((layer, ℓ) => ({ ...layer, term: terms[ℓ] !== null })),
        pairs: pairs as unknown as readonly JsonObject[],
        shift,
        report: keptReport(report),
      },
      arrays,
    };
  },

  restore(contents, team) {
    const { header } = contents;
    const size = contents.count(header['size'], 'size');
    const layers = restoreBasis(contents, size);
    const report = contents.report({ size });
    for (const name of ['norm', 'error', 'rounding']) contents.number(report[name], `report.${name}`);
    const data: KroneckerSumData = {
      size: rotatedSize(layers),
      layers: layers.map(({ base, inputVectors, units }) => ({ base, directions: inputVectors.cols, units })),
      pairs: restorePairs(contents, layers.length),
      groups: contents.i32('groups'),
      panels: contents.i32('panels'),
      mixingBegin: contents.f64('mixingBegin'),
      valuesBegin: contents.f64('valuesBegin'),
      mixing: contents.finite('mixing'),
      values: contents.finite('values'),
      terms: restoreTerms(contents, layers),
      shift: contents.number(header['shift'], 'shift', 0),
    };
    checkSumData(data, (what) => contents.refuse(what));
    return new KroneckerSumMatrix(layers, data, size, report as unknown as KroneckerSumReport, team);
  },
};

function restorePairs(contents: Contents, layers: number): readonly SumPair[] {
  return contents.list(contents.header['pairs'], 'pairs').map((one, k): SumPair => {
    const pair = contents.object(one, `pair ${k}`);
    const row = contents.count(pair['row'], `pairs[${k}].row`);
    const column = contents.count(pair['column'], `pairs[${k}].column`);
    if (row >= layers || column >= layers) contents.refuse(`pair ${k} is of layers ${row} and ${column}`);
    return { row, column, diagonal: pair['diagonal'] === true };
  });
}

function restoreTerms(contents: Contents, layers: readonly BasisLayer[]): readonly (DiagonalTerm | null)[] {
  const listed = contents.list(contents.header['layers'], 'layers') as readonly JsonObject[];
  return layers.map(({ inputVectors, units }, ℓ) =>
    listed[ℓ]['term'] === true
      ? {
          inputs: contents.finite(`termInputs.${ℓ}`, inputVectors.cols, 'f64') as Float64Array,
          units: contents.finite(`termUnits.${ℓ}`, units, 'f64') as Float64Array,
        }
      : null,
  );
}

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
