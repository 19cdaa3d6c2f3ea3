/**
 * The losses by name. Layer 3. Per sample, with f the network's outputs, p = softmax(f), σ the logistic function:
 *   mse            ½‖f − y‖²,                      gradient f − y,     Q = I,               S = I
 *   squared-error  ‖f − y‖²,                       gradient 2(f − y),  Q = 2I,              S = √2·I
 *   cross-entropy  −Σ_k y_k log p_k (Σ_k y_k = 1),  gradient p − y,     Q = diag(p) − ppᵀ,   S = diag(√p) − p√pᵀ
 *   bce            Σ_k log(1 + e^{f_k}) − y_k f_k,   gradient σ(f) − y,  Q = diag(σ(1 − σ)),  S = diag(√(σ(1 − σ)))
 * Q = S·Sᵀ is the Hessian with respect to f. The last two take logits. Factor of the cross-entropy: C. Chen, S. Reiz, C. Yu, H.-J. Bungartz, G. Biros, arXiv 1910.12184.
 */
export type LossName = 'mse' | 'squared-error' | 'cross-entropy' | 'bce';
export const LOSSES: readonly LossName[] = ['mse', 'squared-error', 'cross-entropy', 'bce'];
