# SPDX-License-Identifier: GPL-3.0-or-later
# bash completion for tutti: commands and options are what the program itself says, keys those of the defaults.
_tutti() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
    COMPREPLY=()
    case $before in
    --set)
        words=$(tutti __complete keys 2>/dev/null)
        compopt -o nospace 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -S = -W "$words" -- "$word")
        return
        ;;
    --role) words="ap ue eve cpu air" ;;
    --log) words="error warning info debug" ;;
    *)
        if [ "$COMP_CWORD" = 1 ]; then
            words=$(tutti __complete commands 2>/dev/null)
        elif [[ $word == -* ]]; then
            words=$(tutti __complete options "${COMP_WORDS[1]}" 2>/dev/null)
        else
            compopt -o default 2>/dev/null
            return
        fi
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _tutti tutti
