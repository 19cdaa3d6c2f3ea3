/**
 * One case of training in a process of its own: `node dist/bench/training.js NAME FOLDER [quick]` prints one JSON line.
 * FOLDER has mnist/; without one digits are generated.
 */
import { RACES, TRAINING_CASES, type TrainingResult } from './training-cases.js';
import { race } from './training-race.js';
import { stepCosts, threadCosts } from './training-steps.js';

const [name, folder, how] = process.argv.slice(2);

async function measured(): Promise<TrainingResult> {
  const quick = how === 'quick';
  const one = RACES.find((each) => each.name === name);
  if (one !== undefined) return race(one, folder, quick);
  if (name === 'training-steps') return stepCosts(name, folder, quick);
  if (name === 'training-threads') return threadCosts(name, folder, quick);
  throw new Error(`No case is called ${name}; there are ${TRAINING_CASES.map((each) => each.name).join(', ')}.`);
}

console.log(JSON.stringify(await measured()));
