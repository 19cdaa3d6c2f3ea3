/** The distance |i − j|: a control that knows nothing of K. */
import type { LineDistance } from './distance.js';

/** |i − j|: the order of the indices as they come, a control. */
export const lexicographic: LineDistance = {
  description: 'the given order',
  needs: 'nothing',
  place: (place) => {
    for (let i = 0; i < place.length; i++) place[i] = i;
  },
};
