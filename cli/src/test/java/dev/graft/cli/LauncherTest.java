package dev.graft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The launcher script against made-up JDKs and a made-up Maven, which only tell how they were called. */
class LauncherTest {
    private static final Path SCRIPT = Path.of("..", "graft").toAbsolutePath().normalize();
    private static final Path BASH = Path.of("/bin/bash");

    @TempDir
    Path temp;

    private Path project;
    private Path tools;

    private record Outcome(int code, String out, String err) { }

    @BeforeEach
    void makeProject() throws IOException {
        assumeTrue(Files.isExecutable(BASH), "the launcher needs /bin/bash, which is not on this machine");
        assumeTrue(Files.exists(SCRIPT), "the launcher lies beside the modules, and these tests run without them");
        project = Files.createDirectories(temp.resolve("my project"));
        tools = Files.createDirectories(temp.resolve("tools"));
        Files.copy(SCRIPT, project.resolve("graft"));
        project.resolve("graft").toFile().setExecutable(true);
        write("pom.xml", 100);
        write("tensor/pom.xml", 100);
        write("tensor/src/main/java/A.java", 100);
    }

    @Test
    void isValidBash() throws Exception {
        assertThat(run(temp, Map.of(), BASH.toString(), "-n", SCRIPT.toString())).isEqualTo(new Outcome(0, "", ""));
    }

    @Test
    void startsTheJarWithTheJdkOfJavaHomeThroughALinkFromAnotherFolder() throws Exception {
        built(200);
        Path link = Files.createSymbolicLink(temp.resolve("link"), project.resolve("graft"));
        Outcome o = run(temp, Map.of("JAVA_HOME", jdk("jdk 25", "25.0.1")), link.toString(), "verify", "a b.npy", "*");
        assertThat(o.code).as(o.err).isZero();
        assertThat(o.out.lines()).startsWith("started from jdk 25", "--add-modules", "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED");
        assertThat(o.out.lines()).endsWith("-cp", project.toRealPath().resolve("cli/target/graft-cli-0.1.0.jar").toString(),
                "dev.graft.cli.Main", "verify", "a b.npy", "*");
    }

    @Test
    void passesOverAnOldJavaHomeToANewerOneOnThePath() throws Exception {
        built(200);
        String path = jdk("jdk26", "26") + "/bin:/usr/bin:/bin";
        Outcome o = run(temp, Map.of("JAVA_HOME", jdk("jdk17", "17.0.9"), "PATH", path),
                project.resolve("graft").toString());
        assertThat(o.code).as(o.err).isZero();
        assertThat(o.out).startsWith("started from jdk26");
    }

    @Test
    void passesOverAJavaThatDoesNotStart() throws Exception {
        built(200);
        Path broken = temp.resolve("broken");
        script(broken.resolve("bin/java"), "exit 1");
        script(broken.resolve("bin/javac"), "exit 1");
        Outcome o = run(temp, Map.of("JAVA_HOME", broken.toString(), "PATH", jdk("good", "25") + "/bin:/usr/bin:/bin"),
                project.resolve("graft").toString());
        assertThat(o.code).as(o.err).isZero();
        assertThat(o.out).startsWith("started from good");
    }

    @Test
    void anotherCollectorTakesThePlaceOfTheUsualOne() throws Exception {
        built(200);
        Outcome o = run(temp, Map.of("JAVA_HOME", jdk("j", "25"), "GRAFT_JAVA_OPTS", "-XX:+UseParallelGC"),
                project.resolve("graft").toString());
        assertThat(o.out.lines()).contains("-XX:+UseParallelGC").doesNotContain("-XX:+UseSerialGC");
    }

    @Test
    void objectsBeginAtCacheLinesUnlessToldOtherwise() throws Exception {
        built(200);
        String home = jdk("j", "25");
        String flag = "-XX:ObjectAlignmentInBytes=64";
        String property = "-Dgraft.object.alignment=64";
        assertThat(graft(home, "finetune", "photos").out.lines()).contains(flag, property);
        assertThat(graft(home, "models").out.lines()).as("plain loops gain nothing").doesNotContain(flag, property);
        Outcome o = run(temp, Map.of("JAVA_HOME", home, "GRAFT_JAVA_OPTS", "-XX:ObjectAlignmentInBytes=16"),
                project.resolve("graft").toString(), "finetune", "photos");
        assertThat(o.out.lines()).contains("-XX:ObjectAlignmentInBytes=16").doesNotContain(flag, property);
    }

    @Test
    void asksForHugePagesWhereTheSystemHasThem() throws Exception {
        built(200);
        String home = jdk("j", "25");
        String flag = "-XX:+UseTransparentHugePages";
        Path setting = Path.of("/sys/kernel/mm/transparent_hugepage/enabled");
        boolean has = Files.isReadable(setting) && !Files.readString(setting).contains("[never]");
        assertThat(graft(home, "finetune", "photos").out.lines().anyMatch(flag::equals)).isEqualTo(has);
        assertThat(graft(home, "models").out.lines()).as("a short command").doesNotContain(flag);
        for (String own : List.of("-XX:-UseTransparentHugePages", "-XX:+UseLargePages", "-XX:-UseLargePages")) {
            Outcome o = run(temp, Map.of("JAVA_HOME", home, "GRAFT_JAVA_OPTS", own), project.resolve("graft").toString(),
                    "finetune", "photos");
            assertThat(o.out.lines()).contains(own).doesNotContain(flag);
        }
    }

    @Test
    void splitsExtraFlagsForTheJvm() throws Exception {
        built(200);
        Outcome o = run(temp, Map.of("JAVA_HOME", jdk("j", "25"), "GRAFT_JAVA_OPTS", "-Xmx3g -Dx=y"),
                project.resolve("graft").toString());
        assertThat(o.out.lines()).contains("-Xmx3g", "-Dx=y");
    }

    @Test
    void buildsOnceWhenJarsAreMissingAndAgainWhenASourceChanged() throws Exception {
        maven("mkdir -p cli/target/lib && touch cli/target/lib/x.jar cli/target/graft-cli-0.1.0.jar; "
                + "echo built with $JAVA_HOME $*");
        String home = jdk("j", "25");
        Outcome first = graft(home);
        assertThat(first.code).as(first.err).isZero();
        assertThat(first.err).contains("building");
        assertThat(Files.readString(project.resolve(".graft/build.log"))).contains("built with " + home).contains("package");
        assertThat(graft(home).err).doesNotContain("building");

        FileTime later = FileTime.from(Instant.now().plusSeconds(60));
        Files.setLastModifiedTime(project.resolve("tensor/src/main/java/A.java"), later);
        assertThat(graft(home).err).contains("building");
    }

    @Test
    void aFailedBuildShowsTheEndOfItsLogAndStartsNothing() throws Exception {
        maven("for i in $(seq 100); do echo line $i; done; exit 1");
        Outcome o = graft(jdk("j", "25"));
        assertThat(o.code).isEqualTo(1);
        assertThat(o.out).isEmpty();
        assertThat(o.err).contains("line 100").doesNotContain("line 9\n").contains("build failed").contains("build.log");
    }

    @Test
    void preparesFasterStartsOnceForEachBuildAndJdk() throws Exception {
        built(200);
        String home = jdk("j", "25");
        script(Path.of(home, "bin/java"), "for a; do case $a in -XX:AOTCacheOutput=*) echo x >\"${a#*=}\";; esac; done; "
                + "printf '%s\\n' \"$@\"");
        Path cache = project.toRealPath().resolve("cli/target/graft.aot");
        Outcome first = graft(home, "demo");
        assertThat(first.code).as(first.err).isZero();
        assertThat(first.err).contains("preparing");
        assertThat(first.out.lines()).contains("-XX:AOTCache=" + cache).doesNotContain("dev.graft.cli.Rehearsal");
        Outcome second = graft(home, "demo");
        assertThat(second.err).isEmpty();
        assertThat(second.out).isEqualTo(first.out);

        Files.setLastModifiedTime(cache, FileTime.from(Instant.parse("2020-01-01T00:00:00Z").plusSeconds(150)));
        assertThat(graft(home, "demo").err).as("older than the jars").contains("preparing");
        Files.writeString(Path.of(home, "release"), "JAVA_VERSION=\"25.0.9\"\n");
        assertThat(graft(home, "demo").err).as("updated JDK").contains("preparing");
        assertThat(cache.getParent().toFile().list()).as("nothing else left").containsExactlyInAnyOrder("graft.aot",
                "graft.aot.jdk", "graft-cli-0.1.0.jar", "lib");
    }

    @Test
    void preparesWhatIsMissingOrStaleForTheBuildAndLeavesTheRestAlone() throws Exception {
        built(200);
        maven("touch mvn-was-called");
        String home = rehearsingJdk("j");
        assertThat(graft(home, "--prepare")).isEqualTo(new Outcome(0, "", ""));
        assertThat(rehearsals()).containsExactly("graft-short.aot", "graft.aot");
        Path target = project.resolve("cli/target");
        assertThat(target.toFile().list()).containsExactlyInAnyOrder("graft.aot", "graft.aot.jdk", "graft-short.aot",
                "graft-short.aot.jdk", "graft-cli-0.1.0.jar", "lib");
        assertThat(graft(home, "models").err).as("made already").isEmpty();
        assertThat(graft(home, "demo").err).as("made already").isEmpty();
        assertThat(graft(home, "--prepare")).isEqualTo(new Outcome(0, "", ""));
        assertThat(rehearsals()).as("both were ready").isEmpty();

        Files.delete(target.resolve("graft-short.aot"));
        assertThat(graft(home, "--prepare").code).isZero();
        assertThat(rehearsals()).as("missing").containsExactly("graft-short.aot");
        Files.setLastModifiedTime(target.resolve("graft.aot"), FileTime.from(Instant.parse("2020-01-01T00:00:00Z")));
        assertThat(graft(home, "--prepare").code).isZero();
        assertThat(rehearsals()).as("older than the jars").containsExactly("graft.aot");
        assertThat(graft(rehearsingJdk("k"), "--prepare").code).isZero();
        assertThat(rehearsals()).as("another JDK").containsExactly("graft-short.aot", "graft.aot");

        Files.setLastModifiedTime(project.resolve("pom.xml"), FileTime.from(Instant.now().plusSeconds(60)));
        assertThat(graft(home, "--prepare").code).isZero();
        assertThat(project.resolve("mvn-was-called")).as("Maven runs it, not the other way round").doesNotExist();
    }

    @Test
    void preparesTheCachesOfStartsWithoutFlagsOfTheUsers() throws Exception {
        built(200);
        String home = rehearsingJdk("j");
        Outcome o = run(temp, Map.of("JAVA_HOME", home, "GRAFT_JAVA_OPTS", "-XX:+UseParallelGC -Xshare:off"),
                project.resolve("graft").toString(), "--prepare");
        assertThat(o).isEqualTo(new Outcome(0, "", ""));
        assertThat(temp.resolve("graft-short.aot.flags")).content().contains("-XX:+UseSerialGC", "-XX:LoopOptsCount=6")
                .doesNotContain("--add-modules", "Parallel", "-Xshare");
        assertThat(temp.resolve("graft.aot.flags")).content().contains("-XX:+UseSerialGC", "--add-modules")
                .doesNotContain("LoopOptsCount", "Parallel", "-Xshare");
    }

    @Test
    void aStartWithFlagsOfTheUsersPreparesTheCacheOfStartsWithoutThem() throws Exception {
        built(200);
        String home = rehearsingJdk("j");
        String own = "-XX:+UseParallelGC -XX:ObjectAlignmentInBytes=16";
        Outcome o = run(temp, Map.of("JAVA_HOME", home, "GRAFT_JAVA_OPTS", own),
                project.resolve("graft").toString(), "demo");
        assertThat(o.code).as(o.err).isZero();
        assertThat(temp.resolve("graft.aot.flags")).content()
                .contains("-XX:+UseSerialGC", "-XX:ObjectAlignmentInBytes=64")
                .doesNotContain("Parallel", "ObjectAlignmentInBytes=16");
        assertThat(o.out).contains("-XX:+UseParallelGC").doesNotContain("-XX:+UseSerialGC", "ObjectAlignmentInBytes=64");
    }

    @Test
    void theBuildDoesNotFailBecauseOfTheCaches() throws Exception {
        String home = rehearsingJdk("j");
        maven("touch mvn-was-called");
        assertThat(graft(home, "--prepare")).as("nothing built").isEqualTo(new Outcome(0, "", ""));
        assertThat(project.resolve("mvn-was-called")).doesNotExist();
        built(200);
        Outcome off = run(temp, Map.of("JAVA_HOME", home, "GRAFT_AOT", "off"), project.resolve("graft").toString(),
                "--prepare");
        assertThat(off).isEqualTo(new Outcome(0, "", ""));
        assertThat(rehearsals()).as("switched off").isEmpty();

        script(Path.of(home, "bin/java"), "echo no such option >&2; exit 1");
        assertThat(graft(home, "--prepare")).as("a JVM that cannot").isEqualTo(new Outcome(0, "", ""));
        assertThat(project.resolve("cli/target/graft.aot")).as("tried").isEmptyFile();
        assertThat(graft(home, "demo").err).as("tried once").doesNotContain("preparing");
    }

    @Test
    void aFolderThatCannotBeWrittenToIsNoError() throws Exception {
        built(200);
        String home = rehearsingJdk("j");
        Path target = project.resolve("cli/target");
        Files.setPosixFilePermissions(target, PosixFilePermissions.fromString("r-xr-xr-x"));
        try {
            assumeTrue(!Files.isWritable(target), "the administrator writes to every folder, so that none is closed here");
            assertThat(graft(home, "--prepare")).isEqualTo(new Outcome(0, "", ""));
            Outcome start = graft(home, "demo");
            assertThat(start.code).isZero();
            assertThat(start.err).isEmpty();
            assertThat(rehearsals()).isEmpty();
        } finally {
            Files.setPosixFilePermissions(target, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
    }

    @Test
    void aBuildOfTheLaunchersOwnPreparesBothSoThatItsStartDoesNot() throws Exception {
        maven("mkdir -p cli/target/lib && touch cli/target/lib/x.jar cli/target/graft-cli-0.1.0.jar && ./graft --prepare");
        String home = rehearsingJdk("j");
        Outcome o = graft(home, "demo");
        assertThat(o.code).as(o.err).isZero();
        assertThat(o.err).contains("building").doesNotContain("preparing");
        assertThat(o.out.lines()).contains("-XX:AOTCache=" + project.toRealPath().resolve("cli/target/graft.aot"));
        assertThat(rehearsals()).containsExactly("graft-short.aot", "graft.aot");
    }

    @Test
    void startsWithoutACacheWhereNoneCanBeMadeOrIsWanted() throws Exception {
        built(200);
        String home = jdk("j", "25");
        assertThat(graft(home, "demo").out).doesNotContain("-XX:AOTCache=");
        Outcome second = graft(home, "demo");
        assertThat(second.err).as("tried once").isEmpty();
        assertThat(second.out).doesNotContain("-XX:AOTCache=");
        Files.delete(project.resolve("cli/target/graft.aot"));
        Outcome off = run(temp, Map.of("JAVA_HOME", home, "GRAFT_AOT", "off"), project.resolve("graft").toString(), "demo");
        assertThat(off.err).isEmpty();
        Outcome shared = run(temp, Map.of("JAVA_HOME", home, "GRAFT_JAVA_OPTS", "-Xshare:off"),
                project.resolve("graft").toString(), "demo");
        assertThat(shared.err).isEmpty();
        assertThat(shared.out.lines()).contains("-Xshare:off");
    }

    @Test
    void startsShortCommandsWithoutTheVectorModuleAndWithACacheOfTheirOwn() throws Exception {
        built(200);
        String home = jdk("j", "25");
        Files.createDirectories(temp.resolve("run1"));
        Files.createDirectories(temp.resolve("photos"));
        List<List<String>> quick = List.of(List.of("models"), List.of("--version"), List.of("finetune", "--help"),
                List.of("inspect", "a.pth"),
                List.of("predict", "--model", "graft_cifar", "--weights", "w", "--labels", "l", "--top", "3", "a.jpg"),
                List.of("predict", "--run", "run1", "a.jpg", "b.PNG", "c.jpeg"),
                List.of("predict", "--run", "run1", "--quantize", "int8", "--precision", "float32", "a.jpg", "b.jpg", "c"));
        for (List<String> c : quick) {
            assertThat(graft(home, c.toArray(String[]::new)).out.lines()).as("%s", c).doesNotContain("--add-modules");
        }
        List<List<String>> full = List.of(List.of("demo"), List.of("finetune", "photos"), List.of("verify", "m"),
                List.of("predict", "--run", "run1", "photos"),
                List.of("predict", "--run", "run1", "@photos.txt"), List.of("predict", "1", "2", "3", "4"),
                List.of("predict", "--run", "run1", "a.jpg", "b.jpg", "c.jpg", "d.jpg"));
        for (List<String> c : full) {
            assertThat(graft(home, c.toArray(String[]::new)).out.lines()).as("%s", c).contains("--add-modules");
        }
        assertThat(project.resolve("cli/target").toFile().list()).contains("graft.aot", "graft-short.aot");
    }

    @Test
    void unknownOptionsArePassedOverOnlyWhereTheUserGaveNone() throws Exception {
        built(200);
        String home = jdk("j", "25");
        String flag = "-XX:+IgnoreUnrecognizedVMOptions";
        assertThat(graft(home, "models").out.lines()).contains(flag, "-XX:LoopOptsCount=6", "-XX:-PartialPeelLoop");
        assertThat(graft(home, "finetune", "photos").out.lines()).doesNotContain(flag);
        Outcome o = run(temp, Map.of("JAVA_HOME", home, "GRAFT_JAVA_OPTS", "-XX:+UseParalelGC"),
                project.resolve("graft").toString(), "models");
        assertThat(o.out.lines()).contains("-XX:+UseParalelGC").doesNotContain(flag, "-XX:LoopOptsCount=6");
    }

    private Outcome graft(String home, String... arguments) throws Exception {
        return run(temp, Map.of("JAVA_HOME", home, "PATH", tools + ":/usr/bin:/bin"), Stream.concat(
                Stream.of(project.resolve("graft").toString()), Stream.of(arguments)).toArray(String[]::new));
    }

    /** A JDK whose java prints its own folder's name and its arguments, one a line. */
    private String jdk(String name, String version) throws IOException {
        Path home = temp.resolve(name);
        script(home.resolve("bin/java"), "echo started from " + name + "; printf '%s\\n' \"$@\"");
        script(home.resolve("bin/javac"), "exit 0");
        Files.writeString(home.resolve("release"), "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"" + version + "\"\n");
        return home.toString();
    }

    /** A JDK whose java makes the caches it is asked for, and notes their names and its flags beside the project. */
    private String rehearsingJdk(String name) throws IOException {
        String home = jdk(name, "25");
        script(Path.of(home, "bin/java"), "for a; do case $a in -XX:AOTCacheOutput=*) f=${a#*=}; echo x >\"$f\"; "
                + "f=${f##*/}; f=${f%.aot*}.aot; echo \"$f\" >>'" + temp + "/rehearsals'; echo \"$*\" >'" + temp
                + "'/\"$f\".flags;; esac; done; printf '%s\\n' \"$@\"");
        return home;
    }

    /** The caches that were made since the last call. */
    private List<String> rehearsals() throws IOException {
        Path file = temp.resolve("rehearsals");
        if (!Files.exists(file)) {
            return List.of();
        }
        List<String> names = Files.readAllLines(file);
        Files.delete(file);
        return names;
    }

    private void maven(String body) throws IOException {
        script(tools.resolve("mvn"), body);
    }

    private static void script(Path file, String body) throws IOException {
        Files.createDirectories(file.getParent());
        Files.writeString(file, "#!/bin/bash\n" + body + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private void built(int at) throws IOException {
        write("cli/target/graft-cli-0.1.0.jar", at);
        write("cli/target/lib/x.jar", at);
    }

    /** A file, and its folders up to the project, as old as {@code at} seconds after 2020 began. */
    private void write(String name, int at) throws IOException {
        Path file = project.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, "x");
        FileTime time = FileTime.from(Instant.parse("2020-01-01T00:00:00Z").plusSeconds(at));
        for (Path p = file; !p.equals(project); p = p.getParent()) {
            Files.setLastModifiedTime(p, time);
        }
    }

    private static Outcome run(Path folder, Map<String, String> environment, String... command)
            throws IOException, InterruptedException {
        List<String> all = new ArrayList<>(List.of(command));
        Path err = Files.createTempFile("launcher", ".err");
        try {
            ProcessBuilder builder = new ProcessBuilder(all).directory(folder.toFile()).redirectError(err.toFile());
            builder.environment().putAll(Map.of("PATH", "/usr/bin:/bin", "GRAFT_JAVA_OPTS", "", "JAVA_HOME", ""));
            builder.environment().putAll(environment);
            Process process = builder.start();
            process.getOutputStream().close();
            String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
            return new Outcome(process.exitValue(), out, Files.readString(err));
        } finally {
            Files.delete(err);
        }
    }
}
