package dev.tsumugi.system;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaPackage;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.library.dependencies.SlicesRuleDefinition;
import java.util.List;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The rules of the house that ARCHITECTURE.md states. */
class HouseRulesTests {
    private static final List<String> SERVICES =
            List.of("ingest", "embed", "retriever", "generator", "trainer", "gateway");

    private static final JavaClasses ALL = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("dev.tsumugi");

    @ParameterizedTest
    @ValueSource(strings = {"ingest", "embed", "retriever", "generator", "trainer", "gateway"})
    void a_service_depends_on_no_other_service_nor_on_launcher_or_embedded_parts(String service) {
        String[] others = SERVICES.stream()
                .filter(other -> !other.equals(service))
                .map(other -> "dev.tsumugi." + other + "..")
                .toArray(String[]::new);
        noClasses()
                .that()
                .resideInAPackage("dev.tsumugi." + service + "..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(others)
                .orShould()
                .dependOnClassesThat()
                .resideInAnyPackage("dev.tsumugi.launcher..", "dev.tsumugi.embedded..")
                .check(ALL);
    }

    @ParameterizedTest
    @ValueSource(strings = {"ingest", "embed", "retriever", "gateway"})
    void only_generator_and_trainer_see_the_engine(String service) {
        noClasses()
                .that()
                .resideInAPackage("dev.tsumugi." + service + "..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("dev.tsumugi.engine..")
                .check(ALL);
    }

    @Test
    void the_engine_sees_neither_spring_nor_the_platform() {
        noClasses()
                .that()
                .resideInAPackage("dev.tsumugi.engine..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "org.springframework..",
                        "dev.tsumugi.platform..",
                        "dev.tsumugi.contracts..",
                        "org.apache.kafka..")
                .check(ALL);
    }

    @ParameterizedTest
    @CsvSource({"serve, train", "train, serve"})
    void serving_and_training_do_not_know_each_other(String one, String other) {
        noClasses()
                .that()
                .resideInAPackage("dev.tsumugi.engine." + one + "..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("dev.tsumugi.engine." + other + "..")
                .check(ALL);
    }

    @Test
    void contracts_hold_no_logic_of_others() {
        classes()
                .that()
                .resideInAPackage("dev.tsumugi.contracts..")
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage("java..", "dev.tsumugi.contracts..", "org.jspecify..")
                .check(ALL);
    }

    @Test
    void the_platform_sees_no_service_and_no_engine() {
        noClasses()
                .that()
                .resideInAPackage("dev.tsumugi.platform..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage(
                        "dev.tsumugi.ingest..",
                        "dev.tsumugi.embed..",
                        "dev.tsumugi.retriever..",
                        "dev.tsumugi.generator..",
                        "dev.tsumugi.trainer..",
                        "dev.tsumugi.gateway..",
                        "dev.tsumugi.engine..")
                .check(ALL);
    }

    @Test
    void the_rooms_of_the_engine_import_one_way() {
        noClasses()
                .that()
                .resideInAnyPackage(
                        "dev.tsumugi.engine.tensor..",
                        "dev.tsumugi.engine.kernels..",
                        "dev.tsumugi.engine.quant..",
                        "dev.tsumugi.engine.files..",
                        "dev.tsumugi.engine.tokenizer..",
                        "dev.tsumugi.engine.model..",
                        "dev.tsumugi.engine.sample..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("dev.tsumugi.engine.serve..")
                .check(ALL);
        noClasses()
                .that()
                .resideInAPackage("dev.tsumugi.engine.train..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("dev.tsumugi.engine.serve..")
                .check(ALL);
        noClasses()
                .that()
                .resideInAPackage("dev.tsumugi.engine.serve..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("dev.tsumugi.engine.train..")
                .check(ALL);
        noClasses()
                .that()
                .resideInAPackage("dev.tsumugi.engine.kernels..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("dev.tsumugi.engine.model..", "dev.tsumugi.engine.files..")
                .check(ALL);
    }

    @ParameterizedTest
    @ValueSource(strings = {"ingest", "embed", "retriever", "generator", "trainer", "gateway", "engine", "platform"})
    void packages_of_a_room_form_no_circle(String room) {
        SlicesRuleDefinition.slices()
                .matching("dev.tsumugi." + room + ".(*)..")
                .should()
                .beFreeOfCycles()
                .allowEmptyShould(true)
                .check(ALL);
    }

    @Test
    void every_package_is_null_marked() {
        assertThat(ALL.getDefaultPackage().getPackage("dev.tsumugi").getSubpackagesInTree().stream()
                        .filter(javaPackage -> !javaPackage.getClasses().isEmpty())
                        .filter(javaPackage -> !javaPackage.isAnnotatedWith(NullMarked.class))
                        .map(JavaPackage::getName))
                .isEmpty();
    }
}
