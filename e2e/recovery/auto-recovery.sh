#!/bin/bash
# scripts/auto-recovery.sh
# Section 4.1 of the plan, word for word but for two commented lines: the health check and the list of services.

set -euo pipefail

RECOVERY_MODE=${1:-"auto"}
NAMESPACE="shodo"

log() {
    echo "[$(date +'%Y-%m-%d %H:%M:%S')] $*"
}

check_health() {
    local service=$1
    # The image has no curl: `shodo check` fails as `curl -sf` does, and waits as long. The port is that of the lab's containers.
    kubectl exec -n $NAMESPACE deployment/$service -- /shodo check http://localhost:8080/health > /dev/null 2>&1
}

recover_service() {
    local service=$1
    log "Recovering $service..."
    
    # Try restart first
    kubectl rollout restart deployment/$service -n $NAMESPACE
    kubectl rollout status deployment/$service -n $NAMESPACE --timeout=5m
    
    if ! check_health $service; then
        log "Restart failed, attempting rollback..."
        kubectl rollout undo deployment/$service -n $NAMESPACE
        kubectl rollout status deployment/$service -n $NAMESPACE --timeout=5m
    fi
    
    if check_health $service; then
        log "$service recovered successfully"
        return 0
    else
        log "Failed to recover $service"
        return 1
    fi
}

main() {
    log "Starting auto-recovery in $RECOVERY_MODE mode"
    
    # Check cluster connectivity
    if ! kubectl cluster-info > /dev/null 2>&1; then
        log "ERROR: Cannot connect to Kubernetes cluster"
        exit 1
    fi
    
    # Recover services in priority order
    read -ra SERVICES <<< "$RECOVERY_SERVICES" # given from outside
    
    for service in "${SERVICES[@]}"; do
        if ! check_health $service; then
            recover_service $service || {
                log "CRITICAL: Failed to recover $service"
                if [[ "$RECOVERY_MODE" == "auto" ]]; then
                    ./scripts/escalate.sh --service=$service
                fi
            }
        else
            log "$service is healthy"
        fi
    done
    
    log "Recovery process completed"
}

main "$@"
