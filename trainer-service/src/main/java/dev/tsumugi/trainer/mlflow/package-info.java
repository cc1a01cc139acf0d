/** What jobs have measured, for an MLflow server beside Tsumugi. */
@NullMarked
package dev.tsumugi.trainer.mlflow;

import org.jspecify.annotations.NullMarked;
