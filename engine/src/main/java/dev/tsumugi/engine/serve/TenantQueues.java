package dev.tsumugi.engine.serve;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Who waits, by tenant, and what each tenant has had computed. The next one to be served is the first of the tenant that had least, so tenants
 * that compete get equal parts whatever they ask for; one that comes back after a pause begins where the least served of the others stands,
 * so a pause earns nothing. (Sheng et al., "Fairness in Serving Large Language Models", arXiv 2401.00588.) What lies long back does not count,
 * so a tenant that used an idle engine is not shut out when others come. For one thread.
 */
final class TenantQueues {
    /** Tokens by which one tenant may be behind another. */
    private static final long MOST_BEHIND = 4096;

    private final Map<String, Tenant> tenants = new HashMap<>();
    private int waiting;
    private long arrivals;

    /** What is known of one tenant. */
    private static final class Tenant {
        private final Deque<Sequence> waiting = new ArrayDeque<>();
        private int running;
        private long served;
        /** Breaks ties: the one whose turn came longest ago. */
        private long turn;

        boolean isActive() {
            return running > 0 || !waiting.isEmpty();
        }
    }

    int size() {
        return waiting;
    }

    /** A new request, behind the others of its tenant. */
    void add(Sequence sequence) {
        Tenant tenant = active(sequence);
        tenant.waiting.addLast(sequence);
        waiting++;
    }

    /** One that ran and has to wait again, before the others of its tenant. */
    void addPreempted(Sequence sequence) {
        Tenant tenant = tenant(sequence);
        tenant.running--;
        tenant.waiting.addFirst(sequence);
        waiting++;
    }

    /** The next to be admitted, or null when none waits. */
    @Nullable
    Sequence first() {
        forgetThePast();
        Tenant next = null;
        for (Tenant tenant : tenants.values()) {
            if (!tenant.waiting.isEmpty() && (next == null || isBefore(tenant, next))) {
                next = tenant;
            }
        }
        return next == null ? null : next.waiting.getFirst();
    }

    private static boolean isBefore(Tenant a, Tenant b) {
        if (a.served != b.served) {
            return a.served < b.served;
        }
        return a.running == 0 && b.running > 0 || (a.running == 0) == (b.running == 0) && a.turn < b.turn;
    }

    /** Takes what {@link #first} returned: it runs from now on. */
    void admit(Sequence sequence) {
        Tenant tenant = tenant(sequence);
        tenant.waiting.removeFirst();
        tenant.running++;
        tenant.turn = ++arrivals;
        waiting--;
    }

    /** Forgets one that waits; returns whether it did. */
    boolean remove(Sequence sequence) {
        Tenant tenant = tenants.get(sequence.tenant());
        if (tenant == null || !tenant.waiting.remove(sequence)) {
            return false;
        }
        waiting--;
        forgetIdle();
        return true;
    }

    /** Forgets one that runs. */
    void ended(Sequence sequence) {
        tenant(sequence).running--;
        forgetIdle();
    }

    int running(String name) {
        Tenant tenant = tenants.get(name);
        return tenant == null ? 0 : tenant.running;
    }

    /** Tokens that were computed for the tenant of {@code sequence}, as far as it competes. */
    long served(Sequence sequence) {
        return tenant(sequence).served;
    }

    void charge(Sequence sequence, int tokens) {
        tenant(sequence).served += tokens;
    }

    private Tenant active(Sequence sequence) {
        Tenant tenant = tenants.get(sequence.tenant());
        if (tenant != null && tenant.isActive()) {
            return tenant;
        }
        long least = leastServed();
        if (tenant == null) {
            tenant = new Tenant();
            tenants.put(sequence.tenant(), tenant);
        }
        tenant.served = Math.max(tenant.served, least);
        tenant.turn = ++arrivals;
        return tenant;
    }

    private void forgetThePast() {
        long most = 0;
        for (Tenant tenant : tenants.values()) {
            most = Math.max(most, tenant.served);
        }
        for (Tenant tenant : tenants.values()) {
            tenant.served = Math.max(tenant.served, most - MOST_BEHIND);
        }
    }

    private long leastServed() {
        long least = Long.MAX_VALUE;
        for (Tenant tenant : tenants.values()) {
            if (tenant.isActive()) {
                least = Math.min(least, tenant.served);
            }
        }
        return least == Long.MAX_VALUE ? 0 : least;
    }

    /** Keeps of those that went only who had more than the others, which counts when they come back soon. */
    private void forgetIdle() {
        long least = leastServed();
        boolean none = tenants.values().stream().noneMatch(Tenant::isActive);
        tenants.values().removeIf(tenant -> !tenant.isActive() && (none || tenant.served <= least));
    }

    private Tenant tenant(Sequence sequence) {
        Tenant tenant = tenants.get(sequence.tenant());
        if (tenant == null) {
            throw new IllegalStateException("a sequence of a tenant that has none");
        }
        return tenant;
    }
}
