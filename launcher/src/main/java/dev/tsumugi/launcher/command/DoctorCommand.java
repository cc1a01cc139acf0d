package dev.tsumugi.launcher.command;

import dev.tsumugi.launcher.doctor.Doctor;
import dev.tsumugi.launcher.doctor.Finding;
import dev.tsumugi.launcher.terminal.Output;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;

@Command(name = "doctor", description = "Check this machine, and say how to mend what is wrong.")
public final class DoctorCommand extends Verb {
    @Override
    int run(Output output) {
        List<Finding> findings = new Doctor(home(), ports(), System.getenv()).examine();
        for (Finding finding : findings) {
            output.object(finding);
            output.say(String.format(Locale.ROOT, "%-5s %-16s %s", finding.state(), finding.what(), finding.found()));
            if (finding.mend() != null) {
                output.say(" ".repeat(23) + "-> " + finding.mend());
            }
        }
        boolean wrong = findings.stream().anyMatch(finding -> finding.state() == Finding.State.WRONG);
        output.say(wrong ? "Tsumugi cannot run like this." : "Tsumugi can run here.");
        return wrong ? FAILED : DONE;
    }
}
