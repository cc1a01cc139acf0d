/**
 * Answers that must match a regular expression or a JSON Schema: a constraint is compiled once, for one tokenizer, into an automaton over
 * bytes that tells at every step which tokens may come next.
 *
 * <pre>{@code
 * Constraint order = model.constraints().jsonSchema("""
 *         {"type": "object", "properties": {"item": {"type": "string"}, "count": {"type": "integer", "minimum": 1}},
 *          "required": ["item", "count"]}""");
 * engine.submit(GenerationRequest.of(prompt, 200).withConstraint(order));
 * }</pre>
 *
 * <p><b>JSON as it is written here.</b> One blank or none behind each colon and comma, and no other white space; properties in the order of
 * the schema; integers of at most 18 digits, fractions of at most 17. A schema that lists {@code properties} and does not speak of
 * {@code additionalProperties} gets none. So every answer is valid under its schema, though not every valid document can be an answer.
 *
 * <p><b>What is understood of JSON Schema</b> (draft 2020-12): {@code type}, {@code enum}, {@code const}, {@code properties},
 * {@code required}, {@code additionalProperties}, {@code items}, {@code prefixItems}, {@code minItems}, {@code maxItems}, {@code minLength},
 * {@code maxLength}, {@code pattern}, {@code format} (date, time, date-time, duration, email, hostname, ipv4, ipv6, uri, uuid),
 * {@code minimum}, {@code maximum}, {@code exclusiveMinimum}, {@code exclusiveMaximum}, {@code anyOf}, {@code oneOf} of alternatives that
 * cannot both hold, {@code allOf} of one, {@code $ref} within the schema, also to itself. Anything else that constrains is refused by name
 * with {@link dev.tsumugi.engine.constrain.ConstraintException}.
 *
 * <p><b>No dead ends.</b> Only characters that the vocabulary can write are part of the automaton, and only states from which its end can be
 * reached. Special tokens are never allowed; end tokens are where the text may end.
 */
@NullMarked
package dev.tsumugi.engine.constrain;

import org.jspecify.annotations.NullMarked;
