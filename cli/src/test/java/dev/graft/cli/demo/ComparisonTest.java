package dev.graft.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;

import dev.graft.cli.report.StrategyRow;
import dev.graft.cli.report.Table;
import dev.graft.pretrained.ModelZoo;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ComparisonTest {
    private static final DemoSettings SMALL = new DemoSettings(1, 6, 10, 1, 12, 16);

    @TempDir
    private Path folder;

    @Test
    void transferBeatsScratchAndEveryStrategyIsExaminedAlike() throws Exception {
        List<Comparison.Done> told = new ArrayList<>();
        Outcome outcome = new Comparison(SMALL, () -> ModelZoo.find("graft_cifar").load().network(), told::add).run();
        assertThat(outcome.rows()).extracting(StrategyRow::strategy)
                .containsExactly("scratch", "features", "finetune", "gradual");
        assertThat(told).hasSize(4);
        StrategyRow scratch = outcome.rows().get(0);
        StrategyRow features = outcome.rows().get(1);
        StrategyRow finetune = outcome.rows().get(2);
        assertThat(finetune.mean()).isGreaterThan(scratch.mean() + 0.15);
        assertThat(features.mean()).isGreaterThan(scratch.mean() + 0.05);
        assertThat(features.trainableParameters()).isEqualTo(65 * 10);
        assertThat(finetune.trainableParameters()).isEqualTo(scratch.trainableParameters()).isEqualTo(269_722);
        assertThat(outcome.rows()).allSatisfy(r -> assertThat(r.history()).hasSize(SMALL.epochs()));
        assertThat(outcome.examination().predictions()).hasSize(120);
        assertThat(outcome.examination().accuracy()).isEqualTo(outcome.rows().get(outcome.best()).mean());
        for (int[] row : outcome.examination().counts()) {
            assertThat(java.util.Arrays.stream(row).sum()).isEqualTo(12);
        }
        Path file = folder.resolve("report.html");
        outcome.report(SMALL, "graft_cifar", Table.of("Machine", Map.of("cores", "2"))).write(file);
        assertThat(Files.readString(file)).contains("Does transfer learning help?").contains("gradual");
    }

    @Test
    void trainingAndTestImagesAreDifferent() {
        DrawnTask task = DrawnTask.draw(1, 10, 12);
        assertThat(task.train())
                .noneMatch(a -> task.test().stream().anyMatch(b -> java.util.Arrays.equals(a.rgb(), b.rgb())));
    }
}
