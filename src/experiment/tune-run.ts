/**
 * One run: options of a compression are chosen, and recorded. The command runs this.
 */
import type { CompressOptions } from '../hierarchical/from-entries/options.js';
import { resolveOptions } from '../hierarchical/from-entries/options.js';
import { tuneEntries } from '../hierarchical/from-entries/tune.js';
import type { ChosenOptions } from '../hierarchical/matrix/chosen-options.js';
import type { MachineDescription } from '../io/machine.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { EntrySource } from '../source/entry-source.js';
import { circumstances, type InputDescription, type Versions } from './record.js';

/** Options that were chosen. Seconds of wall time, bytes. */
export interface TuneRecord {
  readonly record: 'tune';
  readonly date: string;
  readonly input: InputDescription;
  readonly format: string;
  readonly tolerance: number;
  readonly dtype: string;
  readonly chosen: ChosenOptions;
  readonly seed: number;
  readonly workers: number;
  readonly seconds: { readonly tune: number };
  readonly blas: string;
  readonly machine: MachineDescription;
  readonly versions: Versions;
}

/** The matrix, and what is asked of its compression. */
export interface TuneSetup {
  readonly source: EntrySource;
  readonly input: InputDescription;
  readonly options: CompressOptions;
}

/** Chooses and records. Throws what `tune` throws. */
export async function runTune({ source, input, options }: TuneSetup, control: TeamControl): Promise<TuneRecord> {
  const began = performance.now();
  const { format, tolerance, dtype, seed } = resolveOptions(options);
  const chosen = await tuneEntries(source, options, control);
  return {
    record: 'tune',
    input,
    format,
    tolerance,
    dtype,
    chosen,
    seed,
    workers: control.team.workers,
    seconds: { tune: (performance.now() - began) / 1000 },
    blas: control.team.blas.description,
    ...circumstances(),
  };
}
