/**
 * Block pool, scheduler and engine loop: many requests through one model.
 *
 * <pre>{@code
 * Path path = ModelStore.ofEnvironment((file, done, total) -> {}).locate("smollm2-135m-instruct");
 * try (LoadedModel model = LoadedModel.open(path, ModelOptions.defaults());
 *         Engine engine = model.startEngine(512L << 20)) {
 *     int[] prompt = model.chatPrompt(List.of(new ChatMessage("user", "What is the capital of Japan?")));
 *     GenerationRequest request = GenerationRequest.of(prompt, 200)
 *             .withSampling(SamplingSettings.atTemperature(0.7).withTopP(0.9).withSeed(1))
 *             .withStop(List.of("\n\n"))
 *             .withTimeout(Duration.ofSeconds(60));
 *     Generation generation = engine.submit(request, new GenerationListener() {
 *         @Override
 *         public void onPiece(String text, List<TokenLogprobs> logprobs) {
 *             System.out.print(text);
 *         }
 *     });
 *     GenerationResult result = generation.result().join();
 *     System.out.println(result.finishReason() + " " + result.usage() + " " + result.timings());
 * }
 * }</pre>
 *
 * <p>{@link dev.tsumugi.engine.serve.QueueFullException} means "try again later" (HTTP 429), {@link
 * dev.tsumugi.engine.serve.PromptTooLongException} "shorten the prompt" (400), {@link dev.tsumugi.engine.serve.GenerationException} that
 * the model failed or the engine was closed (500, 503).
 */
@NullMarked
package dev.tsumugi.engine.serve;

import org.jspecify.annotations.NullMarked;
