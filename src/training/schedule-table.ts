/**
 * The schedules by name, for commands and files.
 */
import { OptionError } from '../core/errors.js';
import { nearestName, requireKnownOptions } from '../core/known-options.js';
import {
  constantSchedule,
  cosineSchedule,
  cyclicSchedule,
  exponentialSchedule,
  oneCycleSchedule,
  stepSchedule,
  timeSchedule,
  warmUpSchedule,
} from './schedules.js';
import type { Schedule } from './train-options.js';

type Settings = Readonly<Record<string, unknown>>;

/** Options that come from outside: each function checks its own. */
const taking =
  <T>(make: (options: T) => Schedule) =>
  (settings: Settings): Schedule =>
    make(settings as T);

const TABLE = {
  constant: (settings: Settings): Schedule => {
    requireKnownOptions(settings, {} as Record<string, true>, 'the constant schedule');
    return constantSchedule();
  },
  step: taking(stepSchedule),
  exponential: taking(exponentialSchedule),
  time: taking(timeSchedule),
  cosine: taking(cosineSchedule),
  'warm-up': ({ then, ...settings }: Settings): Schedule =>
    taking(warmUpSchedule)(typeof then === 'string' ? { ...settings, then: scheduleOf(then) } : { ...settings, then }),
  'one-cycle': taking(oneCycleSchedule),
  cyclic: taking(cyclicSchedule),
} satisfies Readonly<Record<string, (settings: Settings) => Schedule>>;

/** The names of the schedules. */
export const SCHEDULES = Object.keys(TABLE) as readonly (keyof typeof TABLE)[];

/** Settings that have no default, as an example. */
const NEEDED: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  step: { every: 10 },
  exponential: { factor: 0.95 },
  time: { decay: 0.1 },
  'warm-up': { steps: 100 },
  cyclic: { steps: 100 },
};

/** The schedule of that name; `then` of 'warm-up' may be a name. Throws OptionError for unknown names and settings. */
export function scheduleOf(name: string, settings: Settings = {}): Schedule {
  if (Object.hasOwn(TABLE, name)) {
    for (const [needed, value] of Object.entries(NEEDED[name] ?? {}))
      if (settings[needed] === undefined)
        throw new OptionError(`The schedule ${name} needs ${needed}: such as ${name}:${needed}=${value}.`, {
          schedule: name,
        });
    return TABLE[name as keyof typeof TABLE](settings);
  }
  const near = nearestName(name, SCHEDULES);
  const hint = near === undefined ? `choose ${SCHEDULES.join(', ')}.` : `did you mean "${near}"?`;
  throw new OptionError(`Unknown schedule "${name}": ${hint}`, { schedule: name });
}
