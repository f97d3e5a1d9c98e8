package dev.graft.benchmarks;

import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

/** Holds the arrows between the modules: cli -> pretrained -> nn -> autograd -> tensor <- kernels, benchmarks -> all. */
class ArchitectureTest {
    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests()).importPackages("dev.graft");

    @Test
    void modulesDependInOneDirection() {
        layeredArchitecture().consideringOnlyDependenciesInLayers()
                .layer("tensor").definedBy("dev.graft.tensor..")
                .layer("autograd").definedBy("dev.graft.autograd..")
                .layer("nn").definedBy("dev.graft.nn..")
                .layer("kernels").definedBy("dev.graft.kernels..")
                .layer("pretrained").definedBy("dev.graft.pretrained..")
                .layer("cli").definedBy("dev.graft.cli..")
                .layer("benchmarks").definedBy("dev.graft.benchmarks..")
                .whereLayer("tensor").mayNotAccessAnyLayer()
                .whereLayer("autograd").mayOnlyAccessLayers("tensor")
                .whereLayer("nn").mayOnlyAccessLayers("autograd", "tensor")
                .whereLayer("kernels").mayOnlyAccessLayers("tensor")
                .whereLayer("pretrained").mayOnlyAccessLayers("nn", "autograd", "tensor")
                .whereLayer("cli").mayOnlyAccessLayers("pretrained", "nn", "autograd", "tensor")
                .whereLayer("kernels").mayOnlyBeAccessedByLayers("benchmarks")
                .check(CLASSES);
    }

    @Test
    void everyModuleIsSeen() {
        for (String module : new String[] {"tensor", "autograd", "nn", "kernels", "pretrained", "cli"}) {
            assertThat(CLASSES.stream().anyMatch(c -> c.getPackageName().startsWith("dev.graft." + module)
                    && !c.getSimpleName().equals("package-info"))).as(module).isTrue();
        }
    }

    @Test
    void namesSayWhatAThingIs() {
        assertThat(CLASSES.stream().map(c -> c.getSimpleName())
                .filter(n -> n.matches(".*(Utils?|Impl|Manager|Helpers?)"))).isEmpty();
    }
}
