/**
 * Progress that says which part of a run it belongs to.
 */
import type { TeamControl } from '../parallel/team-control.js';

/** The control with `name` before the name of every phase that it reports. */
export const named = (name: string, control: TeamControl): TeamControl => ({
  ...control,
  onProgress:
    control.onProgress &&
    (({ phase, ...rest }) => {
      control.onProgress?.({ phase: `${name}: ${phase}`, ...rest });
    }),
});
