/**
 * The numbers of a Kronecker sum: M_j and the kept parts of S_j, a task for each group of modes.
 */
import { defineTask } from '../../parallel/task.js';
import type { RotatedTables } from '../eigenbasis/energies.js';
import { panelAt, type Panel, type SumLayout } from './data.js';
import { ModeStrips } from './energies.js';
import { writeMode, type PairModes } from './modes.js';

interface FillState {
  readonly tables: RotatedTables;
  readonly modes: readonly PairModes[];
  readonly layout: SumLayout;
}

/** Panels of a group that are formed together. */
const STRIP = 6;

/** Rows from the first to the last of so many panels of a group. */
function mostRows({ data, kept, panelBegin }: SumLayout): number {
  let most = 1;
  for (let g = 0; g < kept.length; g++)
    for (let k = panelBegin[g]; k < panelBegin[g + 1]; k += STRIP) {
      const last = panelAt(data, Math.min(k + STRIP, panelBegin[g + 1]) - 1);
      most = Math.max(most, last.rowBegin + last.rows - panelAt(data, k).rowBegin);
    }
  return most;
}

/** Task t: group t. 2n flops a number. */
export const fillGroups = defineTask<FillState>(import.meta.url, 'fillGroups', (state, { blas }) => {
  const { tables, modes, layout } = state;
  const { data, kept, panelBegin } = layout;
  const strips = new ModeStrips(tables, mostRows(layout), blas);
  const mixed = new Float64Array(Math.max(1, ...modes.map((pair) => unitsOf(tables, pair))));
  return (g) => {
    const { pair, first, count } = kept[g];
    const { row, column, diagonal } = data.pairs[pair];
    const of = modes[pair];
    let end = 0;
    for (let k = panelBegin[g]; k < panelBegin[g + 1]; k++) {
      const { columnBegin, columns } = panelAt(data, k);
      end = Math.max(end, columnBegin + columns);
    }
    const units: [number, number] = [tables.layers[of.lower].units, tables.layers[of.upper].units];
    const [rowUnits, columnUnits] = [tables.layers[row].units, tables.layers[column].units];
    const [rowStep, columnStep] = row === of.lower ? [1, units[0]] : [units[0], 1];
    for (let j = 0; j < count; j++) {
      const to = data.mixingBegin[g];
      if (diagonal) {
        for (let p = 0; p < rowUnits; p++) data.mixing[to + j + count * p] = of.matrices[(first + j) * of.numbers + p];
      } else {
        writeMode(of, first + j, units, mixed);
        for (let q = 0; q < columnUnits; q++)
          for (let p = 0; p < rowUnits; p++)
            data.mixing[to + p + rowUnits * (j + count * q)] = mixed[p * rowStep + q * columnStep];
      }
      strips.take(data.pairs[pair], of, first + j, end);
      for (let k = panelBegin[g]; k < panelBegin[g + 1]; k += STRIP) {
        const together: Panel[] = [];
        for (let i = k; i < Math.min(k + STRIP, panelBegin[g + 1]); i++) together.push(panelAt(data, i));
        fillStrip(data, together, j, strips);
      }
    }
  };
});

/** Mode j of some panels of one group, whose rows follow each other, from one strip of S_j. */
function fillStrip(data: SumLayout['data'], panels: readonly Panel[], j: number, strips: ModeStrips): void {
  const { rowBegin: first, columnBegin: begin, modes } = panels[0];
  const last = panels[panels.length - 1];
  const end = Math.max(...panels.map(({ columnBegin, columns }) => columnBegin + columns));
  const s = strips.strip([first, last.rowBegin + last.rows], begin, end);
  for (const { rowBegin, rows, columnBegin, columns, values } of panels) {
    for (let q = 0; q < columns; q++) {
      const to = values + rows * (j + modes * q);
      const from = s.offset + rowBegin - first + (columnBegin - begin + q) * s.ld;
      for (let p = 0; p < rows; p++) data.values[to + p] = s.data[from + p];
    }
  }
}

const unitsOf = ({ layers }: RotatedTables, { lower, upper, form }: PairModes): number =>
  form === 'diagonal' ? layers[lower].units : layers[lower].units * layers[upper].units;
