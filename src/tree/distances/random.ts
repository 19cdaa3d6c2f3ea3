/** The distance |π(i) − π(j)| with a seeded permutation π: a control that knows nothing of K. */
import { RandomStream } from '../../core/random.js';
import type { LineDistance } from './distance.js';

const RANDOM_PLACES = 0x91ace;

/** A seeded random order, a control. */
export const random: LineDistance = {
  description: 'a seeded shuffle',
  needs: 'nothing',
  place: (place, seed) => {
    for (let i = 0; i < place.length; i++) place[i] = i;
    new RandomStream(seed, RANDOM_PLACES).shuffle(place);
  },
};
