/** Half the squared error, ½‖f − y‖²: gradient f − y, Q = I. */
import { squaredLoss } from './squared.js';

/** Half the squared error, ½‖f − y‖². */
export const mse = squaredLoss(() => 1, '½‖f − y‖²', 'half the squared error');
