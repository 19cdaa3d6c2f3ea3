/**
 * The numbers of a Kronecker sum: M_j and the kept parts of S_j, a task for each group of modes.
 */
import { defineTask } from '../../parallel/task.js';
import type { RotatedTables } from '../eigenbasis/energies.js';
import { panelAt, type SumLayout } from './data.js';
import { ModeStrips } from './energies.js';
import { writeMode, type PairModes } from './modes.js';

interface FillState {
  readonly tables: RotatedTables;
  readonly modes: readonly PairModes[];
  readonly layout: SumLayout;
}

/** Task t: group t. 2n flops a number. */
export const fillGroups = defineTask<FillState>(import.meta.url, 'fillGroups', (state, { blas }) => {
  const { tables, modes, layout } = state;
  const { data, kept, panelBegin } = layout;
  let rows = 1;
  for (let k = 0; k < panelBegin[kept.length]; k++) rows = Math.max(rows, panelAt(data, k).rows);
  const strips = new ModeStrips(tables, rows, blas);
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
      strips.scale(column, of, first + j, 0, end);
      for (let k = panelBegin[g]; k < panelBegin[g + 1]; k++) {
        const panel = panelAt(data, k);
        const s = strips.strip(
          row,
          [panel.rowBegin, panel.rowBegin + panel.rows],
          panel.columnBegin,
          panel.columnBegin + panel.columns,
        );
        for (let q = 0, at = 0; q < panel.columns; q++) {
          const column0 = panel.values + panel.rows * (j + count * q);
          for (let p = 0; p < panel.rows; p++, at++) data.values[column0 + p] = s.data[at];
        }
      }
    }
  };
});

const unitsOf = ({ layers }: RotatedTables, { lower, upper, form }: PairModes): number =>
  form === 'diagonal' ? layers[lower].units : layers[lower].units * layers[upper].units;
